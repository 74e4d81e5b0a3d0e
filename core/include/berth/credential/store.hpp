// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "berth/base/context.hpp"
#include "berth/base/environment.hpp"
#include "berth/credential/credential.hpp"
#include "berth/credential/routes.hpp"
#include "berth/credential/server_key.hpp"

namespace berth::credential {

/// Where berth keeps what people log in with. Names are exact: who wants a host's credential for a
/// repository asks for ServerKey::candidates(). Thread safe; blocks while a helper runs.
class Store {
 public:
  virtual ~Store() = default;
  virtual Result<std::optional<Credential>> get(const ServerKey& key, const Context& context) = 0;
  virtual Result<void> put(const ServerKey& key, const Credential& credential,
                           const Context& context) = 0;
  /// Without an error when there is nothing of that name.
  virtual Result<void> erase(const ServerKey& key, const Context& context) = 0;
  /// ServerKey::text() -> user name.
  virtual Result<std::map<std::string, std::string>> list(const Context& context) = 0;
  /// For people: "~/.local/share/berth/credentials.json", "pass (docker-credential-pass)".
  virtual std::string name() const = 0;
};

/// A file in podman's form ({"auths": {...}}), mode 0600. Errors: denied, with the remedy, when it
/// is another user's or others may read it; what berth does not know in it is kept. Writers take
/// turns by a lock beside it, and a reader sees the old file or the new one.
std::unique_ptr<Store> make_file_store(std::filesystem::path file, const Environment& environment);

/// A docker-credential-* that keeps what it is given.
std::unique_ptr<Store> make_helper_store(std::string helper, Environment environment);

/// `[credential] file`, else $XDG_DATA_HOME/berth/credentials.json. Error: neither that nor HOME is
/// set.
Result<std::filesystem::path> store_file(const CredentialConfig& config,
                                         const Environment& environment);

/// The stores to read, in order: the configured one alone; else the file where there is one, then
/// the Secret Service where a session bus and its helper are, or pass where it is initialised.
Result<std::vector<std::unique_ptr<Store>>> stores_to_read(const CredentialConfig& config,
                                                           const Environment& environment);

/// The one to write: `wanted` ("" for the configured one), else the key ring found as above, else
/// the file where there is one already. Errors: invalid_argument, saying how to ask for the file,
/// when there is neither: a secret is never put into a plain file unasked.
Result<std::unique_ptr<Store>> store_to_write(const CredentialConfig& config,
                                              const std::string& wanted,
                                              const Environment& environment);

}  // namespace berth::credential
