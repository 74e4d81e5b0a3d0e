// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "berth/auth/identity.hpp"

namespace berth::auth {

/// Grammars of what is put into URLs and command lines.
bool is_tenant(std::string_view text);        ///< letters, digits, '-', '.'
bool is_scope(std::string_view text);         ///< and '_', ':', '/'
bool is_subscription(std::string_view text);  ///< letters, digits, '-', '.', '_', blanks

/// What one credential's tokens are for: one scope. Errc::invalid_argument for none, or another
/// number or form.
Result<std::string> single_scope(const TokenRequest& request, std::string_view who);
/// "https://vault.azure.net/.default" names the resource "https://vault.azure.net".
std::string resource_of(const std::string& scope);

/// The tenant to ask: what the request names where that is allowed, else `own`.
Result<std::string> tenant_for(const TokenRequest& request, const std::string& own,
                               const std::vector<std::string>& also_allowed, std::string_view who);
/// "a;b" of AZURE_ADDITIONALLY_ALLOWED_TENANTS.
std::vector<std::string> allowed_tenants(const Environment& environment);

/// A credential that is not here: a chain goes on.
Error not_available(std::string_view who, std::string_view why);
/// One that is here and does not work. Not "not found" nor "unavailable": those would be the
/// registry's word.
Error identity_failure(std::string_view who, std::string_view why);
/// The first line of what a program or server said, safe to show and of bounded length.
std::string first_line(std::string_view text);

}  // namespace berth::auth
