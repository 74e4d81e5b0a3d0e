// SPDX-License-Identifier: Apache-2.0
// What docker-credential-berth asks berth for, against a registry and an authority on loopback.
#include "identity.hpp"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_authority.hpp"
#include "support/fake_registry.hpp"
#include "support/jwt.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace berth::cli {
namespace {

using ::testing::HasSubstr;

class IdentityTest : public ::testing::Test {
 protected:
  IdentityTest() {
    entra_ = test::unsigned_jwt({{"tid", "contoso"}, {"oid", "alice"}});
    registry_.change([this](auto& behaviour) {
      behaviour.auth = test::RegistryBehaviour::Auth::bearer;
      behaviour.acr = true;
      behaviour.entra_tokens = {entra_};
      behaviour.tenant = "contoso";
    });
    authority_.answer_next(
        {.body = R"({"token_type":"Bearer","expires_in":3600,"access_token":")" + entra_ + "\"}"});
    folder_.write("home/.config/berth/config.toml",
                  "[registry.\"" + registry_.host() + "\"]\nplain_http = true\nacr = true\n");
    variables_ = {{"HOME", (folder_ / "home").string()},
                  {"BERTH_TOKENS", (folder_ / "tokens").string()},
                  {"AZURE_AUTHORITY_HOST", authority_.origin()},
                  {"AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential"},
                  {"PATH", "/usr/bin:/bin"}};
  }
  Environment environment() const {
    return [copy = variables_](const std::string& name) -> std::optional<std::string> {
      const auto found = copy.find(name);
      return found == copy.end() ? std::nullopt : std::optional(found->second);
    };
  }
  Result<credential::RefreshToken> ask(const std::optional<WorkloadToken>& workload = {}) {
    return identity_token(registry_.host(), workload, environment(),
                          Context().with_timeout(std::chrono::seconds(30)));
  }

  test::TempDir folder_;
  test::FakeAuthority authority_;
  test::FakeRegistry registry_;
  std::string entra_;
  std::map<std::string, std::string> variables_;
};

TEST_F(IdentityTest, TheIdentityOfTheEnvironmentIsExchangedForTheRegistrysToken) {
  variables_.insert({{"AZURE_TENANT_ID", "contoso"},
                     {"AZURE_CLIENT_ID", "app"},
                     {"AZURE_CLIENT_SECRET", "wonder"}});
  const auto token = ask();
  ASSERT_THAT(token, test::IsOk());
  EXPECT_FALSE(token->value.empty());
  const auto now = std::chrono::system_clock::now();
  EXPECT_LT(token->issued, now + std::chrono::minutes(1));
  EXPECT_GT(token->expires, now + std::chrono::hours(1));
}

TEST_F(IdentityTest, WithoutAnIdentityItIsNotFound) {
  EXPECT_THAT(ask(), test::HasCode(Errc::not_found));
}

TEST_F(IdentityTest, AWorkloadsTokenIsItsAssertion) {
  const auto workload =
      parse_workload(R"({"client_id":"pod","tenant_id":"contoso","token":"eyJ"})");
  ASSERT_THAT(workload, test::IsOk());
  ASSERT_THAT(ask(*workload), test::IsOk());
  const auto log = authority_.server().log();
  ASSERT_EQ(log.size(), 1U);
  EXPECT_THAT(log.front().body, HasSubstr("client_assertion=eyJ"));
  EXPECT_THAT(log.front().body, HasSubstr("client_id=pod"));
  for (const char* bad : {"", "{}", "rubbish", R"({"client_id":"a","tenant_id":"b"})"}) {
    EXPECT_FALSE(parse_workload(bad)) << bad;
  }
}

TEST_F(IdentityTest, S300_AnotherWorkloadsTokenIsAskedForAgain) {
  const auto ask_with = [&](const std::string& token) {
    return ask(WorkloadToken{.client_id = "pod", .tenant_id = "contoso", .token = Secret(token)});
  };
  ASSERT_THAT(ask_with("good"), test::IsOk());
  authority_.answer_next({.status = 401, .body = R"({"error":"invalid_client"})"});
  EXPECT_THAT(ask_with("rubbish"), test::HasCode(Errc::unauthenticated));
  EXPECT_EQ(authority_.server().log().size(), 2U);
}

}  // namespace
}  // namespace berth::cli
