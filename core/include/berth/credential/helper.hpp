// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "berth/base/context.hpp"
#include "berth/base/environment.hpp"
#include "berth/credential/credential.hpp"

namespace berth::credential {

/// `[a-z0-9][a-z0-9-]*`: what may follow docker-credential-.
bool is_helper_name(std::string_view name) noexcept;

/// Asks docker-credential-<name> for a server (protocol of docker-credential-helpers): found in the
/// absolute folders of the environment's PATH, run without a shell, limited in output (1 MiB) and
/// by the Context in time, never in a circle (BERTH_HELPER_DEPTH). Its stderr is this process's.
/// Blocks. nullopt when the helper has none. Errors: invalid_argument for a name or URL that breaks
/// the grammar, would_block for a non-blocking Context, timeout, cancelled, conflict for a circle,
/// corrupt for what is no answer, and unauthenticated when it fails, with its own words, or is not
/// installed: what a helper lacks says nothing about the registry.
Result<std::optional<Credential>> ask_helper(const std::string& name, const std::string& server_url,
                                             const Environment& environment,
                                             const Context& context);

/// `store`, `erase` and `list` of the same helper, with the same limits and errors. Erasing what it
/// does not have is no error where the helper says so in the protocol's words.
Result<void> store_in_helper(const std::string& name, const std::string& server_url,
                             const Credential& credential, const Environment& environment,
                             const Context& context);
Result<void> erase_in_helper(const std::string& name, const std::string& server_url,
                             const Environment& environment, const Context& context);
Result<std::map<std::string, std::string>> list_helper(const std::string& name,
                                                       const Environment& environment,
                                                       const Context& context);

/// The environment variable that says who is being asked, "a -> b", outermost first.
inline constexpr std::string_view kHelperChainVariable = "BERTH_HELPER_CHAIN";

/// Errc::conflict, naming the circle, when `name` is being asked already.
Result<void> check_helper_chain(std::string_view name, const Environment& environment);

}  // namespace berth::credential
