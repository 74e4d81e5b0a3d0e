// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "berth/base/result.hpp"
#include "berth/credential/server_key.hpp"

namespace berth::credential {

/// Where the credential of a registry is.
enum class RouteKind : unsigned char {
  store,      ///< berth's own store
  helper,     ///< another docker-credential-*
  entra,      ///< an Entra ID identity, exchanged for the registry's token (ACR)
  anonymous,  ///< nowhere: it is never asked for one
};

/// One line of `[credential.routes]`: "PATTERN" = "store", "entra", "anonymous" or "helper:NAME".
struct Route {
  std::string pattern;
  RouteKind kind = RouteKind::store;
  std::string helper{};     ///< of RouteKind::helper
  bool is_default = false;  ///< nobody wrote it: berth's own for this host

  std::string use() const;  ///< as it is written: "helper:ecr-login"
};

/// `[credential]` of berth's configuration.
struct CredentialConfig {
  /// "file", "secretservice", "pass" or another helper's name; "" chooses (see open_store).
  std::string store{};
  std::filesystem::path file{};  ///< of the store "file"; "": $XDG_DATA_HOME/berth/credentials.json
  std::chrono::seconds helper_timeout{30};
  std::vector<Route> routes{};
  std::vector<std::string> acr_hosts{};      ///< `acr = true` under [registry."HOST"]
  std::vector<std::string> not_acr_hosts{};  ///< `acr = false`
};

/// "host[:port][/path]", as kubelet matches images: a `*` stands for characters of one label of the
/// host, or of one part of the path, and a host has as many labels as its pattern. The port must be
/// the same (`:*` for any). A path matches what begins with its parts. "*" alone is any registry.
/// Errors: invalid_argument for what can match no registry.
Result<void> check_pattern(std::string_view pattern);
bool pattern_matches(std::string_view pattern, const ServerKey& key);

/// One written line; errors as of check_pattern, and for a word that is none or a route to berth
/// itself.
Result<Route> parse_route(std::string_view pattern, std::string_view use);

/// The route of a registry: of those that match the one with the longest path, then the one with
/// the fewest wildcards, then the longest pattern; the order of the file does not matter. Without
/// one, ACR hosts of every cloud, and those that the configuration says are ACR, have a default
/// route to Entra ID, and any other to the store.
Route route_for(const CredentialConfig& config, const ServerKey& key);

/// Hosts of Azure Container Registry, of every cloud: NAME.azurecr.io, .cn, .us, .de.
bool is_acr_host(std::string_view host);

}  // namespace berth::credential
