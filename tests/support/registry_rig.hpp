// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "berth/auth/session.hpp"
#include "berth/credential/keychain.hpp"
#include "berth/http/client.hpp"
#include "berth/registry/client.hpp"

namespace berth::test {

struct RegistryRigOptions {
  std::optional<credential::Credential> credential{};  ///< absent: anonymous
  std::string ca_file{};
  std::string client_cert_file{};
  std::string client_key_file{};
  bool http2 = false;
  Clock* clock = &real_clock();
  http::Transport* transport = nullptr;  ///< nullptr: the real one
};

/// All that stands between a registry::Client and the wire, wired up: for tests that link
/// berth_registry. Nothing of the machine's own configuration is read.
class RegistryRig {
 public:
  /// `origins`: "http://127.0.0.1:5000"; mirrors first, the registry itself last.
  explicit RegistryRig(const std::vector<std::string>& origins, RegistryRigOptions options = {})
      : own_transport_(
            options.transport == nullptr
                ? http::make_curl_transport({.use_proxy_environment = false, .environment = {}})
                : nullptr),
        http_(options.transport == nullptr ? *own_transport_ : *options.transport,
              http::ClientOptions{.retry = {}, .clock = options.clock}),
        keychain_({.environment = [](const std::string&) { return std::nullopt; },
                   .explicit_credential = options.credential,
                   .explicit_registry = {},
                   .auth_file = {},
                   .docker_config_dir = {}}),
        tokens_(std::nullopt, *options.clock) {
    http::ConnectionOptions connection;
    connection.ca_file = options.ca_file;
    connection.client_cert_file = options.client_cert_file;
    connection.client_key_file = options.client_key_file;
    connection.http2 = options.http2;
    const auto shared = std::make_shared<const http::ConnectionOptions>(std::move(connection));
    std::vector<registry::Endpoint> endpoints;
    for (const auto& origin : origins) {
      const auto url = http::Url::parse(origin + "/").value();
      auth::SessionOptions session{
          .registry = url, .name = origin.substr(origin.find("//") + 2), .connection = shared};
      sessions_.push_back(
          std::make_unique<auth::Session>(http_, keychain_, tokens_, std::move(session)));
      endpoints.push_back({.base = url, .session = sessions_.back().get()});
    }
    endpoints_ = endpoints;
    const std::string name = origins.back().substr(origins.back().find("//") + 2);
    client_ = std::make_unique<registry::Client>(name, std::move(endpoints));
  }

  registry::Client& operator*() const noexcept { return *client_; }
  registry::Client* operator->() const noexcept { return client_.get(); }
  http::Client& http() noexcept { return http_; }
  const std::vector<registry::Endpoint>& endpoints() const noexcept { return endpoints_; }

 private:
  std::unique_ptr<http::Transport> own_transport_;
  http::Client http_;
  credential::Keychain keychain_;
  auth::TokenStore tokens_;
  std::vector<std::unique_ptr<auth::Session>> sessions_;
  std::vector<registry::Endpoint> endpoints_;
  std::unique_ptr<registry::Client> client_;
};

/// alice, wonder: who the fake and the real registries of tests know.
inline credential::Credential alice() {
  credential::Credential credential;
  credential.username = "alice";
  credential.password = Secret("wonder");
  credential.source = "test";
  return credential;
}

}  // namespace berth::test
