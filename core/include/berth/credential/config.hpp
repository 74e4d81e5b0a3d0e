// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "berth/base/environment.hpp"
#include "berth/base/result.hpp"
#include "berth/credential/routes.hpp"

namespace berth::credential {

/// What berth's own file says of one registry: `[registry."host:port"]`.
struct RegistryConfig {
  std::optional<bool> plain_http{};  ///< where nothing is said, loopback is tried by TLS first
  bool insecure_skip_verify = false;
  bool http2 = false;
  /// It is an Azure container registry, or is none; else its name and its answers tell.
  std::optional<bool> acr{};
  std::string ca_file;
  std::vector<std::string> more_ca_files{};  ///< trusted as well: a certs.d folder may hold several
  std::string client_cert_file;
  std::string client_key_file;
  std::string client_key_password_file{};  ///< its first line opens the key, or the PKCS#12 file
  std::string audience{};  ///< of Entra ID's tokens for it; "" for that of all registries
};

/// berth's configuration file, TOML: $BERTH_CONFIG, else $XDG_CONFIG_HOME/berth/config.toml, else
/// /etc/berth/config.toml. Unknown keys are errors that name the key and the line.
struct Config {
  std::map<std::string, RegistryConfig> registries;
  std::filesystem::path file;  ///< "" when there is none
  std::string cache_limit;     ///< `[cache] limit = "20GiB"`
  CredentialConfig credential;
};

Result<Config> load_config(const Environment& environment);

/// The registry's entry, completed from docker's and podman's certs.d folders
/// (/etc/docker/certs.d/HOST, /etc/containers/certs.d/HOST, ~/.config/containers/certs.d/HOST:
/// ca.crt, client.cert, client.key) where the file says nothing.
RegistryConfig registry_config(const Config& config, const std::string& registry,
                               const Environment& environment);

}  // namespace berth::credential
