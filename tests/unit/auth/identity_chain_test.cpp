// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/identity_chain.hpp"

#include "support/fake_identity_host.hpp"
#include "unit/auth/fixed_credential.hpp"
#include "unit/auth/identity_fixture.hpp"

namespace berth::auth {
namespace {

using std::chrono::seconds;
using test::HasCode;
using test::IsOk;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::shared_ptr<FixedCredential> failing(Errc code, const std::string& why) {
  return std::make_shared<FixedCredential>(
      [code, why]() -> Result<AccessToken> { return Error(code, why); });
}

class IdentityChainTest : public IdentityTest {
 protected:
  IdentityChainTest() {
    // No test knows whether its machine is one of Azure's.
    set({{"AZURE_POD_IDENTITY_AUTHORITY_HOST", closed_.origin()}});
    closed_.server().stop();
  }
  Result<AccessToken> ask_default() {
    DefaultAzureCredential credential({.identity = options_});
    return ask(credential);
  }
  void log_in_to_az() {
    install("az", "echo '{\"accessToken\":\"az-token\",\"expires_on\":1767229200}'\n");
  }
  void use_secret(const std::string& secret = "secret") {
    authority_.add_secret("app", "secret");
    set({{"AZURE_TENANT_ID", "contoso"},
         {"AZURE_CLIENT_ID", "app"},
         {"AZURE_CLIENT_SECRET", secret}});
  }
  test::FakeIdentityHost closed_{test::FakeIdentityHost::Kind::imds};
};

TEST_F(IdentityChainTest, TheFirstThatIsAvailable) {
  const auto absent = failing(Errc::not_found, "one is not here");
  const auto there = FixedCredential::of("second");
  const auto never = FixedCredential::of("third");
  ChainedTokenCredential chain({absent, there, never}, clock_);
  EXPECT_EQ(ask(chain)->token.reveal(), "second");
  EXPECT_EQ(ask(chain)->token.reveal(), "second");
  EXPECT_EQ(absent->asked, 2) << "the chain is walked again each time";
  EXPECT_EQ(never->asked, 0);
}

TEST_F(IdentityChainTest, TheTokenSaysWhoGaveIt) {
  EXPECT_EQ(ask(*FixedCredential::of("alone"))->given_by, "");
  log_in_to_az();
  EXPECT_EQ(ask_default()->given_by, "AzureCliCredential");
  use_secret();
  EXPECT_EQ(ask_default()->given_by, "EnvironmentCredential");
}

TEST_F(IdentityChainTest, OneThatFailsEndsIt) {
  const auto never = FixedCredential::of("second");
  ChainedTokenCredential chain({failing(Errc::unauthenticated, "wrong secret"), never}, clock_);
  const auto failed = ask(chain);
  ASSERT_THAT(failed, HasCode(Errc::unauthenticated));
  EXPECT_EQ(message(failed), "wrong secret");
  EXPECT_EQ(never->asked, 0);
}

TEST_F(IdentityChainTest, NobodyNamesEachWithItsReasonAndIsRememberedForAWhile) {
  const auto one = failing(Errc::not_found, "one is not here");
  const auto two = failing(Errc::not_found, "two is not here");
  ChainedTokenCredential chain({one, two}, clock_);
  const auto none = ask(chain);
  ASSERT_THAT(none, HasCode(Errc::not_found));
  EXPECT_EQ(message(none), "no identity is available: one is not here; two is not here");
  clock_.advance(seconds(29));
  EXPECT_EQ(message(ask(chain)), message(none));
  EXPECT_EQ(two->asked, 1);
  clock_.advance(seconds(1));
  EXPECT_THAT(ask(chain), HasCode(Errc::not_found));
  EXPECT_EQ(two->asked, 2);
  ChainedTokenCredential empty({}, clock_);
  EXPECT_THAT(ask(empty), HasCode(Errc::not_found));
}

TEST_F(IdentityChainTest, WhoLogsInIsSeenAtOnce) {
  EXPECT_THAT(ask_default(), HasCode(Errc::not_found));
  DefaultAzureCredential credential({.identity = options_});
  EXPECT_THAT(ask(credential), HasCode(Errc::not_found));
  log_in_to_az();
  home_.write(".azure/azureProfile.json", "{}");
  EXPECT_EQ(ask(credential)->token.reveal(), "az-token");
}

TEST_F(IdentityChainTest, TheEnvironmentsSecret) {
  EnvironmentCredential nothing(options_);
  EXPECT_EQ(message(ask(nothing)),
            "EnvironmentCredential: not set: AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET "
            "or AZURE_CLIENT_CERTIFICATE_PATH");
  use_secret();
  EnvironmentCredential credential(options_);
  EXPECT_THAT(ask(credential), IsOk());
  use_secret("wrong");
  EnvironmentCredential wrong(options_);
  const auto refused = ask(wrong);
  ASSERT_THAT(refused, HasCode(Errc::unauthenticated));
  EXPECT_THAT(message(refused), HasSubstr("EnvironmentCredential: ClientSecretCredential:"));
}

TEST_F(IdentityChainTest, TheEnvironmentsCertificate) {
  set({{"AZURE_TENANT_ID", "contoso"},
       {"AZURE_CLIENT_ID", "app"},
       {"AZURE_CLIENT_CERTIFICATE_PATH", (home_ / "none.pem").native()},
       {"AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "true"}});
  EnvironmentCredential credential(options_);
  const auto refused = ask(credential);
  ASSERT_THAT(refused, HasCode(Errc::unauthenticated));
  EXPECT_THAT(message(refused), HasSubstr("none.pem"));
}

TEST_F(IdentityChainTest, AUsersPasswordIsNoWay) {
  set({{"AZURE_TENANT_ID", "contoso"},
       {"AZURE_CLIENT_ID", "app"},
       {"AZURE_USERNAME", "u"},
       {"AZURE_PASSWORD", "p"}});
  EXPECT_THAT(ask_default(), HasCode(Errc::unsupported));
}

TEST_F(IdentityChainTest, TenantsOfTheEnvironmentAreAllowed) {
  use_secret();
  EnvironmentCredential strict(options_);
  EXPECT_THAT(ask(strict, "fabrikam"), HasCode(Errc::invalid_argument));
  set({{"AZURE_ADDITIONALLY_ALLOWED_TENANTS", "woodgrove; fabrikam"}});
  EnvironmentCredential credential(options_);
  EXPECT_THAT(message(ask(credential, "fabrikam")), HasSubstr("Tenant 'fabrikam' not found"));
}

TEST_F(IdentityChainTest, NobodyAtAllNamesEveryOne) {
  const auto none = ask_default();
  ASSERT_THAT(none, HasCode(Errc::not_found));
  EXPECT_THAT(message(none), AllOf(HasSubstr("EnvironmentCredential: not set"),
                                   HasSubstr("WorkloadIdentityCredential: not set"),
                                   HasSubstr("ManagedIdentityCredential: IMDS: nobody answers"),
                                   HasSubstr("AzureCliCredential: az is not installed"),
                                   HasSubstr("AzurePowerShellCredential: pwsh is not installed"),
                                   HasSubstr("AzureDeveloperCliCredential: azd is not installed")));
}

TEST_F(IdentityChainTest, TheOrderIsThatOfTheSdks) {
  log_in_to_az();
  EXPECT_EQ(ask_default()->token.reveal(), "az-token");
  test::FakeIdentityHost machine(test::FakeIdentityHost::Kind::imds);
  set(machine.environment());
  EXPECT_EQ(ask_default()->token.reveal(), test::FakeIdentityHost::kToken);
  use_secret();
  const auto token = ask_default()->token.reveal();
  EXPECT_TRUE(authority_.tokens().contains(token));
}

TEST_F(IdentityChainTest, AWrongSecretIsNotPassedOver) {
  log_in_to_az();
  use_secret("wrong");
  EXPECT_THAT(ask_default(), HasCode(Errc::unauthenticated));
}

TEST_F(IdentityChainTest, AzureTokenCredentialsNarrowsIt) {
  log_in_to_az();
  test::FakeIdentityHost machine(test::FakeIdentityHost::Kind::imds);
  set(machine.environment());
  set({{"AZURE_TOKEN_CREDENTIALS", " Dev "}});
  EXPECT_EQ(ask_default()->token.reveal(), "az-token");
  set({{"AZURE_TOKEN_CREDENTIALS", "prod"}});
  EXPECT_EQ(ask_default()->token.reveal(), test::FakeIdentityHost::kToken);
  set({{"AZURE_TOKEN_CREDENTIALS", "azureclicredential"}});
  EXPECT_EQ(ask_default()->token.reveal(), "az-token");
  machine.server().clear_log();
  set({{"AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential"}});
  EXPECT_EQ(ask_default()->token.reveal(), test::FakeIdentityHost::kToken);
  EXPECT_EQ(machine.server().requests(), 1) << "who names it needs no probe";
  set({{"AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential"}});
  EXPECT_THAT(message(ask_default()), Not(HasSubstr("AzureCliCredential")));
  set({{"AZURE_TOKEN_CREDENTIALS", "VisualStudioCodeCredential"}});
  const auto wrong = ask_default();
  ASSERT_THAT(wrong, HasCode(Errc::invalid_argument));
  EXPECT_THAT(message(wrong), AllOf(HasSubstr("'VisualStudioCodeCredential' is a credential of the "
                                              "official SDKs that berth has not (`az login`"),
                                    HasSubstr("it is none of prod, dev, EnvironmentCredential"),
                                    HasSubstr("AzureDeveloperCliCredential")));
  set({{"AZURE_TOKEN_CREDENTIALS", "NoSuchCredential"}});
  EXPECT_THAT(message(ask_default()), HasSubstr("'NoSuchCredential' is none of prod, dev, "));
}

TEST_F(IdentityChainTest, RequiredVariables) {
  DefaultAzureCredential credential(
      {.identity = options_, .required_env_vars = {"AZURE_CLIENT_ID"}});
  const auto missing = ask(credential);
  ASSERT_THAT(missing, HasCode(Errc::invalid_argument));
  EXPECT_THAT(message(missing), HasSubstr("AZURE_CLIENT_ID is required"));
}

TEST_F(IdentityChainTest, TheIdentityOfAMachineByTheEnvironmentsClientId) {
  test::FakeIdentityHost machine(test::FakeIdentityHost::Kind::imds);
  machine.assign("assigned");
  set(machine.environment());
  set({{"AZURE_CLIENT_ID", "assigned"}});
  EXPECT_EQ(ask_default()->token.reveal(), test::FakeIdentityHost::kToken);
  EXPECT_THAT(machine.server().log().back().target, HasSubstr("&client_id=assigned"));
}

}  // namespace
}  // namespace berth::auth
