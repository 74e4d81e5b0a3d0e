// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "berth/base/context.hpp"
#include "berth/base/environment.hpp"
#include "berth/credential/credential.hpp"

namespace berth::credential {

/// `[a-z0-9][a-z0-9-]*`: what may follow docker-credential-.
bool is_helper_name(std::string_view name) noexcept;

/// Asks docker-credential-<name> for a server (protocol of docker-credential-helpers): no shell,
/// limited in time and output, never in a circle (BERTH_HELPER_DEPTH). nullopt when the helper has
/// none; an Error that shows its words when it fails.
Result<std::optional<Credential>> ask_helper(const std::string& name, const std::string& server_url,
                                             const Environment& environment,
                                             const Context& context);

}  // namespace berth::credential
