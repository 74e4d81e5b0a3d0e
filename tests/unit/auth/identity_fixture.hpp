// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>

#include "berth/auth/identity.hpp"

#include "support/fake_authority.hpp"
#include "support/fake_clock.hpp"
#include "support/jwt.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace berth::auth {

/// A machine with an environment of its own, a clock that stands still, and an authority at
/// loopback. Nothing of the real machine is read.
class IdentityTest : public ::testing::Test {
 protected:
  IdentityTest() {
    authority_.set_time(
        [this] { return std::int64_t{std::chrono::system_clock::to_time_t(clock_.now())}; });
    variables_ = {{"AZURE_AUTHORITY_HOST", authority_.origin() + "/"},
                  {"HOME", home_.path().native()},
                  {"PATH", (home_ / "bin").native()}};
    options_.environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      return found == variables_.end() ? std::nullopt : std::optional(found->second);
    };
    options_.clock = &clock_;
    options_.transport = http::make_curl_transport({.use_proxy_environment = false});
    options_.endpoint_transport = options_.transport;
    options_.process_timeout = std::chrono::seconds(20);
  }

  void set(const std::map<std::string, std::string>& more) {
    for (const auto& [name, value] : more) variables_[name] = value;
  }
  /// An executable of the machine's PATH.
  void install(const std::string& name, const std::string& script) const {
    const auto path = home_.write("bin/" + name, "#!/bin/sh\n" + script);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  static TokenRequest registry(const std::string& tenant = {}) {
    return {.scopes = {"https://containerregistry.azure.net/.default"}, .tenant_id = tenant};
  }
  Result<AccessToken> ask(TokenCredential& credential, const std::string& tenant = {}) const {
    return credential.get_token(registry(tenant), context_);
  }
  /// Of the assertion by which a request proves who it is.
  static nlohmann::json assertion_header(const test::HttpRequest& request) {
    test::HttpRequest form;
    form.target = "?" + request.body;
    const std::string assertion = form.query("client_assertion");
    return nlohmann::json::parse(test::from_base64url(assertion.substr(0, assertion.find('.'))));
  }
  static std::string message(const Result<AccessToken>& token) {
    return token ? "a token" : token.error().message();
  }

  test::FakeClock clock_;
  test::FakeAuthority authority_;
  test::TempDir home_;
  std::map<std::string, std::string> variables_;
  IdentityOptions options_;
  Context context_ = Context().with_timeout(std::chrono::seconds(30));
};

}  // namespace berth::auth
