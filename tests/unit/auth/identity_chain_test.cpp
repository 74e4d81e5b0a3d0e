// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/identity_chain.hpp"

#include "support/app_certificate.hpp"
#include "support/fake_identity_host.hpp"
#include "unit/auth/fixed_credential.hpp"
#include "unit/auth/identity_fixture.hpp"

namespace berth::auth {
namespace {

using std::chrono::seconds;
using test::HasCode;
using test::IsOk;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
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
  /// The rest of the tools, each as logged in as az.
  void log_in_to_pwsh_and_azd() {
    install("pwsh", "echo '{\"Token\":\"pwsh-token\",\"ExpiresOn\":1767229200}'\n");
    install("azd", "echo '{\"token\":\"azd-token\",\"expiresOn\":\"2026-01-01T01:00:00Z\"}'\n");
  }
  void use_certificate(const std::filesystem::path& path) {
    set({{"AZURE_TENANT_ID", "contoso"},
         {"AZURE_CLIENT_ID", "app"},
         {"AZURE_CLIENT_CERTIFICATE_PATH", path.native()}});
  }
  /// What the authority was shown last of how the certificate signed.
  nlohmann::json last_assertion() {
    const auto log = authority_.server().log();
    return log.empty() ? nlohmann::json() : assertion_header(log.back());
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
  const test::AppCertificate app;
  authority_.add_certificate("app", app.certificate_only());
  use_certificate(app.pem());
  EnvironmentCredential plain(options_);
  EXPECT_THAT(ask(plain), IsOk());
  EXPECT_EQ(last_assertion()["alg"], "PS256");
  use_certificate(app.encrypted_pem());
  EnvironmentCredential sealed(options_);
  EXPECT_THAT(message(ask(sealed)), HasSubstr("the password is wrong or missing"));
  set({{"AZURE_CLIENT_CERTIFICATE_PASSWORD", "open sesame"}});
  EnvironmentCredential opened(options_);
  EXPECT_THAT(ask(opened), IsOk());
}

TEST_F(IdentityChainTest, TheEnvironmentsCertificateWithTheChainOfItsIssuers) {
  const test::AppCertificate app;
  authority_.add_certificate("app", app.certificate_only());
  use_certificate(app.pem());
  for (const auto& [value, sent] :
       {std::pair{"true", true}, std::pair{"TRUE", true}, std::pair{"1", true},
        std::pair{"false", false}, std::pair{"0", false}, std::pair{"", false}}) {
    set({{"AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", value}});
    EnvironmentCredential credential(options_);
    ASSERT_THAT(ask(credential), IsOk()) << value;
    const auto chain = last_assertion().value("x5c", nlohmann::json::array());
    EXPECT_EQ(chain.size(), sent ? 2U : 0U) << value << ": its own and the CA's, or none";
  }
}

TEST_F(IdentityChainTest, TheEnvironmentsCertificateThatIsNotThere) {
  use_certificate(home_ / "none.pem");
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

TEST_F(IdentityChainTest, NobodyAtAllNamesEveryOneInTheOrderOfTheSdks) {
  const auto none = ask_default();
  ASSERT_THAT(none, HasCode(Errc::not_found));
  EXPECT_THAT(message(none),
              MatchesRegex("no identity is available: EnvironmentCredential: not set.*; "
                           "WorkloadIdentityCredential: not set.*; "
                           "ManagedIdentityCredential: IMDS: nobody answers.*; "
                           "AzureCliCredential: az is not installed.*; "
                           "AzurePowerShellCredential: pwsh is not installed.*; "
                           "AzureDeveloperCliCredential: azd is not installed[^;]*"));
}

TEST_F(IdentityChainTest, TheOrderIsThatOfTheSdks) {
  // Each of them would give a token: the first of those that are left does.
  test::FakeIdentityHost machine(test::FakeIdentityHost::Kind::imds);
  machine.assign("app");
  set(machine.environment());
  log_in_to_az();
  log_in_to_pwsh_and_azd();
  use_secret();
  authority_.add_federation("app", "vouched");
  set({{"AZURE_FEDERATED_TOKEN_FILE", home_.write("federated", "vouched").native()}});
  std::vector<std::string> givers;
  const auto ask_it = [&] {
    const auto token = ask_default();
    givers.push_back(token ? token->given_by : message(token));
    return token ? token->token.reveal() : std::string();
  };
  const auto of_secret = ask_it();
  EXPECT_TRUE(authority_.tokens().contains(of_secret));
  variables_.erase("AZURE_CLIENT_SECRET");
  const auto of_workload = ask_it();
  EXPECT_TRUE(authority_.tokens().contains(of_workload));
  variables_.erase("AZURE_FEDERATED_TOKEN_FILE");
  EXPECT_EQ(ask_it(), test::FakeIdentityHost::kToken);
  set({{"AZURE_POD_IDENTITY_AUTHORITY_HOST", closed_.origin()}});
  EXPECT_EQ(ask_it(), "az-token");
  std::filesystem::remove(home_ / "bin/az");
  EXPECT_EQ(ask_it(), "pwsh-token");
  std::filesystem::remove(home_ / "bin/pwsh");
  EXPECT_EQ(ask_it(), "azd-token");
  EXPECT_THAT(givers, ElementsAre("EnvironmentCredential", "WorkloadIdentityCredential",
                                  "ManagedIdentityCredential", "AzureCliCredential",
                                  "AzurePowerShellCredential", "AzureDeveloperCliCredential"));
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
