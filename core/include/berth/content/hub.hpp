// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "berth/auth/session.hpp"
#include "berth/content/store.hpp"
#include "berth/credential/config.hpp"
#include "berth/credential/keychain.hpp"

namespace berth::content {

struct HubOptions {
  Environment environment = real_environment;
  credential::KeychainOptions keychain;
  cache::Options cache;  ///< folder "": default_folder()
  bool daemon = false;   ///< chooses root's cache folder
  StoreOptions store;
  std::vector<std::string> plain_http;  ///< hosts named for plain http, besides the configuration's
  /// Command-line TLS settings: for the hosts named on that command line only.
  http::ConnectionOptions connection;
  std::vector<std::string> connection_hosts;
  http::Transport* transport = nullptr;  ///< tests; else curl's. Must outlive the hub
  http::RetryPolicy retry;
  std::string user_agent = "berth";
};

/// Everything one process needs to reach content: transport, keychain, tokens, cache, store, and a
/// source for each registry, made when first asked for. Thread safe.
class Hub {
 public:
  static Result<std::unique_ptr<Hub>> open(HubOptions options);
  ~Hub();

  /// The source of a registry. No request is sent here. Loopback hosts that nothing is said about
  /// are tried with TLS and then without, at their first request.
  Result<std::shared_ptr<Source>> source(const std::string& registry);
  /// What a session with a registry needs besides a keychain and a token store: its scheme and its
  /// TLS settings, found as for source(). A loopback host that nothing is said about is connected
  /// to.
  Result<auth::SessionOptions> session_options(const std::string& registry, const Context& context);
  /// Hosts that are configured, logged in or named: what the mount of every registry shows.
  std::vector<std::string> known_registries();

  Store& store() noexcept;
  cache::Cache& cache() noexcept;
  credential::Keychain& keychain() noexcept;
  http::Client& http() noexcept;
  const credential::Config& config() const noexcept;
  /// Requests sent by this process so far.
  http::Counters requests() const;

 private:
  struct Impl;
  explicit Hub(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::content
