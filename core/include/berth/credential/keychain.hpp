// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "berth/base/context.hpp"
#include "berth/base/environment.hpp"
#include "berth/credential/credential.hpp"

namespace berth::credential {

/// One step of a search, for "tried: ..." messages and `berth doctor`.
struct Tried {
  std::string source;   ///< "/home/u/.docker/config.json", "helper pass (credHelpers)"
  std::string outcome;  ///< "no entry for R", "found", ...; never a secret
};

struct Lookup {
  Credential credential;  ///< anonymous when nobody had one
  std::vector<Tried> tried;
};

struct KeychainOptions {
  Environment environment = real_environment;
  std::optional<Credential> explicit_credential;   ///< command line: first of all
  std::optional<std::filesystem::path> auth_file;  ///< -o authfile= : the only podman file
  std::optional<std::filesystem::path>
      docker_config_dir;  ///< -o config= : instead of $DOCKER_CONFIG
  std::chrono::seconds helper_timeout{30};
};

/// Finds the credential for a registry: the first source that has one (DESIGN section 5), without
/// any network. Order: explicit; DOCKER_AUTH_CONFIG; REGISTRY_AUTH_FILE; docker's config.json
/// (credHelpers, credsStore, auths); podman's auth.json files. Files are read again when they
/// changed. Thread safe.
class Keychain {
 public:
  explicit Keychain(KeychainOptions options);
  ~Keychain();

  /// `repository` selects the longest matching path entry (auth.json: host/ns/repo, host/ns, host);
  /// "" for the host's. Errors: a helper that fails, a file that cannot be parsed: never a reason
  /// to try somebody else's. Nothing found is an anonymous credential.
  Result<Lookup> find(const std::string& registry, const std::string& repository,
                      const Context& context);

  /// Registries that have a credential in some file (for the mount of every registry): hosts only.
  std::vector<std::string> known_registries();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::credential
