// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "berth/base/clock.hpp"
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
  std::string explicit_registry;                   ///< the only one that it is for; "" for any
  std::optional<std::filesystem::path> auth_file;  ///< -o authfile= : the only podman file
  std::optional<std::filesystem::path>
      docker_config_dir;  ///< -o config= : instead of $DOCKER_CONFIG
  /// A helper that needs longer is killed, and not asked for another registry in the next 5 s.
  std::chrono::seconds helper_timeout{30};
  /// A helper's answer is good for this long: some take a second, and a mount asks often.
  std::chrono::seconds helper_answer_lifetime{300};
  Clock* clock = &real_clock();  ///< must outlive the keychain
};

/// Finds the credential for a registry: the first source that has one, without any network. Order:
///   1. explicit_credential;
///   2. $DOCKER_AUTH_CONFIG, the text of a docker configuration;
///   3. auth_file, else $REGISTRY_AUTH_FILE: in podman's form, and then the only file of podman's;
///   4. docker's config.json: credHelpers, credsStore, auths;
///   5. podman's $XDG_RUNTIME_DIR/containers/auth.json (/run/containers/UID/ where it is unset) and
///      $XDG_CONFIG_HOME/containers/auth.json; the old ~/.dockercfg;
///   6. berth's own routes (see Router): also wherever a file names the helper `berth`.
/// Docker Hub's names (docker.io, index.docker.io, registry-1.docker.io) are one. Files are read
/// again when they changed. Thread safe; find() blocks while a helper runs.
class Keychain {
 public:
  explicit Keychain(KeychainOptions options);
  ~Keychain();

  /// `repository` selects the longest matching path entry (auth.json: host/ns/repo, host/ns, host);
  /// "" for the host's. Errors: unauthenticated or denied for a broken helper or file, never a
  /// reason to try somebody else's. Nothing found is an anonymous credential. With a non-blocking
  /// Context, would_block where a helper would have to run.
  Result<Lookup> find(const std::string& registry, const std::string& repository,
                      const Context& context);

  /// Forgets what helpers answered for a registry, but in the last ten seconds: a refused
  /// credential may be an old one.
  void forget_helper_answers(const std::string& registry);

  /// Registries that have a credential in some file (for the mount of every registry): hosts only,
  /// sorted, Docker Hub as "docker.io". Files that cannot be read are left out.
  std::vector<std::string> known_registries();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::credential
