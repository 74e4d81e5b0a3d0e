// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/tool_credentials.hpp"

#include <ctime>
#include <fstream>
#include <iterator>

#include "berth/base/text.hpp"

#include "unit/auth/identity_fixture.hpp"

namespace berth::auth {
namespace {

using std::chrono::seconds;
using test::HasCode;
using test::IsOk;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kEnd = 1'767'229'200;  // 2026-01-01 01:00:00

class ToolCredentialsTest : public IdentityTest {
 protected:
  ToolCredentialsTest() {
    az_answer_ = R"({"accessToken":"az-token","expiresOn":"2026-01-01 02:00:00.000000",)"
                 R"("expires_on":1767229200,"subscription":"s","tenant":"t","tokenType":"Bearer"})";
  }
  /// Answers, and writes down its arguments, a line each.
  void install_tool(const std::string& name, const std::string& answer) {
    install(name, "echo run >> '" + (home_ / "runs").native() +
                      "'\nfor a in \"$@\"; do echo \"$a\"; done > '" +
                      (home_ / "arguments").native() + "'\ncat <<'END'\n" + answer + "\nEND\n");
  }
  std::string arguments() const { return text_of("arguments"); }
  std::size_t runs() const { return text_of("runs").size() / 4; }
  std::string text_of(const std::string& name) const {
    std::ifstream file(home_ / name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  std::string az_answer_;
};

TEST_F(ToolCredentialsTest, AzGivesAToken) {
  install_tool("az", az_answer_);
  AzureCliCredential credential({}, options_);
  const auto token = ask(credential);
  ASSERT_THAT(token, IsOk());
  EXPECT_EQ(token->token.reveal(), "az-token");
  EXPECT_EQ(token->expires_on, std::chrono::system_clock::from_time_t(kEnd));
  EXPECT_EQ(arguments(),
            "account\nget-access-token\n--output\njson\n--resource\n"
            "https://containerregistry.azure.net\n");
  EXPECT_THAT(ask(credential), IsOk());
  EXPECT_EQ(runs(), 1U) << "a token is kept";
}

TEST_F(ToolCredentialsTest, AzOfATenantAndASubscription) {
  install_tool("az", az_answer_);
  AzureCliCredential credential({.tenant_id = "contoso", .subscription = "My subscription"},
                                options_);
  ASSERT_THAT(ask(credential), IsOk());
  EXPECT_THAT(arguments(), HasSubstr("--tenant\ncontoso\n--subscription\nMy subscription\n"));
  AzureCliCredential wrong({.tenant_id = "", .subscription = "$(rm -rf)"}, options_);
  EXPECT_THAT(ask(wrong), HasCode(Errc::invalid_argument));
  AzureCliCredential worse({.tenant_id = "a'b", .subscription = ""}, options_);
  EXPECT_THAT(ask(worse), HasCode(Errc::invalid_argument));
}

TEST_F(ToolCredentialsTest, AnOldAzSaysTheLocalTimeAlone) {
  install_tool("az", R"({"accessToken":"old","expiresOn":"2026-01-01 01:00:00.000000"})");
  AzureCliCredential credential({}, options_);
  std::tm local{.tm_hour = 1, .tm_mday = 1, .tm_mon = 0, .tm_year = 126, .tm_isdst = -1};
  EXPECT_EQ(ask(credential)->expires_on,
            std::chrono::system_clock::from_time_t(std::mktime(&local)));
}

TEST_F(ToolCredentialsTest, SomebodyElseLogsIn) {
  install_tool("az", az_answer_);
  AzureCliCredential credential({}, options_);
  ASSERT_THAT(ask(credential), IsOk());
  const std::string before = credential.identity_key();
  home_.write(".azure/azureProfile.json", "{}");
  EXPECT_NE(credential.identity_key(), before);
  ASSERT_THAT(ask(credential), IsOk());
  EXPECT_EQ(runs(), 2U);
}

TEST_F(ToolCredentialsTest, AzThatIsNotThere) {
  AzureCliCredential credential({}, options_);
  const auto none = ask(credential);
  ASSERT_THAT(none, HasCode(Errc::not_found));
  EXPECT_EQ(message(none), "AzureCliCredential: az is not installed (no folder of PATH has it)");
}

TEST_F(ToolCredentialsTest, NobodyIsLoggedIn) {
  install("az", "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1\n");
  install("azd", "echo 'ERROR: not logged in, run `azd auth login` to login' >&2; exit 1\n");
  install("pwsh", "echo 'Run Connect-AzAccount to login.' >&2; exit 1\n");
  AzureCliCredential az({}, options_);
  EXPECT_EQ(message(ask(az)),
            "AzureCliCredential: nobody is logged in: run `az login` (ERROR: Please run 'az login' "
            "to setup account.)");
  AzureDeveloperCliCredential azd({}, options_);
  EXPECT_THAT(message(ask(azd)), HasSubstr("nobody is logged in: run `azd auth login`"));
  AzurePowerShellCredential pwsh({}, options_);
  EXPECT_THAT(message(ask(pwsh)), HasSubstr("nobody is logged in: run `Connect-AzAccount`"));
}

TEST_F(ToolCredentialsTest, AToolThatFailsHangsOrPrintsRubbish) {
  install("az",
          "echo 'ERROR: AADSTS50173: The grant is expired.' >&2; echo secret-stdout; exit 3\n");
  AzureCliCredential failing({}, options_);
  const auto failed = ask(failing);
  ASSERT_THAT(failed, HasCode(Errc::not_found));
  EXPECT_THAT(message(failed), AllOf(HasSubstr("az failed (exit status 3)"),
                                     HasSubstr("AADSTS50173"), Not(HasSubstr("secret-stdout"))));
  for (const char* rubbish :
       {"", "not json", "[]", R"({"accessToken":"t"})", R"({"expires_on":1767229200})",
        R"({"accessToken":"t","expires_on":"soon"})"}) {
    install_tool("az", rubbish);
    AzureCliCredential credential({}, options_);
    EXPECT_THAT(message(ask(credential)), HasSubstr("az gave no token")) << rubbish;
  }
  install("az", "sleep 60\n");
  options_.process_timeout = std::chrono::milliseconds(200);
  AzureCliCredential hanging({}, options_);
  EXPECT_THAT(ask(hanging), HasCode(Errc::not_found));
  context_ = Context().with_timeout(std::chrono::milliseconds(100));
  options_.process_timeout = seconds(20);
  AzureCliCredential given_up({}, options_);
  EXPECT_THAT(ask(given_up), HasCode(Errc::timeout)) << "the caller's end is not az's";
}

TEST_F(ToolCredentialsTest, WordsOfAToolAreSafeToShow) {
  install("az", "printf 'ERROR: \\033[31mred\\n second line' >&2; exit 1\n");
  AzureCliCredential credential({}, options_);
  EXPECT_THAT(message(ask(credential)),
              AllOf(HasSubstr("\\x1b[31mred"), Not(HasSubstr("\033")), Not(HasSubstr("second"))));
}

TEST_F(ToolCredentialsTest, AzdGivesAToken) {
  install_tool("azd", R"({"token":"azd-token","expiresOn":"2026-01-01T01:00:00Z"})");
  AzureDeveloperCliCredential credential({.tenant_id = "contoso"}, options_);
  const auto token = ask(credential);
  ASSERT_THAT(token, IsOk());
  EXPECT_EQ(token->token.reveal(), "azd-token");
  EXPECT_EQ(token->expires_on, std::chrono::system_clock::from_time_t(kEnd));
  EXPECT_EQ(arguments(),
            "auth\ntoken\n--output\njson\n--no-prompt\n--scope\n"
            "https://containerregistry.azure.net/.default\n--tenant-id\ncontoso\n");
}

TEST_F(ToolCredentialsTest, PowerShellGivesAToken) {
  install_tool("pwsh", R"({"Token":"pwsh-token","ExpiresOn":1767229200})");
  AzurePowerShellCredential credential({.tenant_id = "contoso"}, options_);
  const auto token = ask(credential);
  ASSERT_THAT(token, IsOk());
  EXPECT_EQ(token->token.reveal(), "pwsh-token");
  EXPECT_THAT(arguments(),
              AllOf(HasSubstr("-NoProfile\n-NonInteractive\n-Command\n"),
                    HasSubstr("ResourceUrl = 'https://containerregistry.azure.net'"),
                    HasSubstr("$ask['TenantId'] = 'contoso'"), HasSubstr("-MinimumVersion 2.2.0")));
}

TEST_F(ToolCredentialsTest, PowerShellWithoutItsModule) {
  install("pwsh",
          "echo \"Import-Module: The specified module 'Az.Accounts' with version '2.2.0' was not "
          "loaded because no valid module file was found.\" >&2; exit 1\n");
  AzurePowerShellCredential credential({}, options_);
  EXPECT_THAT(message(ask(credential)), HasSubstr("Install-Module Az.Accounts"));
}

TEST_F(ToolCredentialsTest, AScopeThatIsNoneReachesNoCommandLine) {
  install_tool("az", az_answer_);
  AzureCliCredential credential({}, options_);
  for (const char* scope : {"a'; rm -rf ~; '", "a b", "--help\n", ""}) {
    EXPECT_THAT(credential.get_token({.scopes = {scope}, .tenant_id = {}}, context_),
                HasCode(Errc::invalid_argument))
        << scope;
  }
  EXPECT_EQ(runs(), 0U);
}

}  // namespace
}  // namespace berth::auth
