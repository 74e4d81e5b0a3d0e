// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/helper.hpp"

#include "unit/credential/keychain_fixture.hpp"

namespace berth::credential {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class HelperTest : public ::testing::Test {
 protected:
  Result<std::optional<Credential>> ask(const std::string& body,
                                        const std::string& url = "r.example") const {
    home.helper("test", body);
    return ask_helper("test", url, home.environment(), Context());
  }
  Home home;
};

TEST_F(HelperTest, NamesFollowTheGrammar) {
  for (const char* good : {"pass", "ecr-login", "acr-env", "1pass", "a"}) {
    EXPECT_TRUE(is_helper_name(good)) << good;
  }
  for (const char* bad : {"", "-pass", "Pass", "a/b", "../x", "a b", "a\n", "a;b", "ä"}) {
    EXPECT_FALSE(is_helper_name(bad)) << bad;
  }
}

TEST_F(HelperTest, GetsUserNameAndSecret) {
  const auto answer = ask(R"(echo '{"ServerURL":"x","Username":"alice","Secret":"won der"}')");
  ASSERT_THAT(answer, test::IsOk());
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->username, "alice");
  EXPECT_EQ((*answer)->password.reveal(), "won der");
  EXPECT_EQ((*answer)->source, "helper test");
}

TEST_F(HelperTest, GivesTheUrlOnStandardInputWithoutANewline) {
  const auto answer = ask_helper("test", "r.example:5000", home.environment(), Context());
  EXPECT_THAT(answer, test::HasCode(Errc::unauthenticated));
  const auto path = home.folder.write("bin/docker-credential-test",
                                      "#!/bin/sh\ncat > " + (home.folder / "in").string() +
                                          "\necho \"$@\" > " + (home.folder / "argv").string() +
                                          "\necho '{\"Username\":\"u\",\"Secret\":\"s\"}'\n");
  ::chmod(path.c_str(), 0755);
  EXPECT_THAT(ask_helper("test", "r.example:5000", home.environment(), Context()), test::IsOk());
  EXPECT_EQ(home.read("in"), "r.example:5000");
  EXPECT_EQ(home.read("argv"), "get\n");
}

TEST_F(HelperTest, TokenUserNameMeansAnIdentityToken) {
  for (const char* user : {"<token>", "\\u003ctoken\\u003e"}) {
    const auto answer =
        ask("cat <<'X'\n{\"Username\":\"" + std::string(user) + "\",\"Secret\":\"REFRESH\"}\nX");
    ASSERT_THAT(answer, test::IsOk());
    EXPECT_EQ((*answer)->identity_token.reveal(), "REFRESH");
    EXPECT_EQ((*answer)->username, "");
    EXPECT_TRUE((*answer)->password.empty());
  }
}

TEST_F(HelperTest, ToleratesWhatRealHelpersDo) {
  for (const char* body : {
           R"(echo '{"serverurl":"","username":"alice","secret":"wonder"}')",
           R"(echo '{"Username":"alice","Secret":"wonder","ExpiresAt":"2026"}')",
           R"(echo noise >&2; echo '{"Username":"alice","Secret":"wonder"}'; echo trailing)",
       }) {
    const auto answer = ask(body);
    ASSERT_THAT(answer, test::IsOk()) << body;
    EXPECT_EQ((*answer)->username, "alice") << body;
    EXPECT_EQ((*answer)->password.reveal(), "wonder") << body;
  }
}

TEST_F(HelperTest, KnowsTheWaysToSayNone) {
  for (const char* body : {
           "echo credentials not found in native keychain; exit 1",
           "printf 'credentials not found in native keychain'; exit 3",
           "echo credentials not found in native keychain",
           R"(echo '{"ServerURL":"x","Username":"","Secret":""}')",
       }) {
    const auto answer = ask(body);
    ASSERT_THAT(answer, test::IsOk()) << body;
    EXPECT_FALSE(answer->has_value()) << body;
  }
}

TEST_F(HelperTest, FailuresShowTheHelpersWordsEscaped) {
  auto answer = ask("printf 'boom \\033[31mred'; exit 2");
  EXPECT_THAT(answer, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(answer.error().message(), HasSubstr("boom \\x1b[31mred"));
  EXPECT_THAT(answer.error().message(), HasSubstr("exit status 2"));
  EXPECT_FALSE(answer.error().is_retryable());
  answer = ask("echo credentials not found in native keychain >&2; exit 1");
  EXPECT_THAT(answer, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(answer.error().message(), HasSubstr("said nothing"));
}

TEST_F(HelperTest, WhatIsNoAnswerIsCorruptAndNeverShown) {
  for (const char* body : {
           "echo not json s3cr3t",
           R"(echo '["s3cr3t"')",
           R"(echo '{"Username":7,"Secret":"s3cr3t"}')",
           R"(echo '{"Username":"","Secret":"s3cr3t"}')",
           "cat <<'X'\n{\"Username\":\"a\\nb\",\"Secret\":\"s3cr3t\"}\nX",
           "true",
       }) {
    const auto answer = ask(body);
    EXPECT_THAT(answer, test::HasCode(Errc::corrupt)) << body;
    EXPECT_THAT(answer.error().describe(), Not(HasSubstr("s3cr3t"))) << body;
  }
}

TEST_F(HelperTest, RefusesWhatWouldBreakALine) {
  for (const std::string url : {"r.example\nhost=evil", "r.example\r", "", "a\x7f"}) {
    EXPECT_THAT(ask("touch " + (home.folder / "ran").string(), url),
                test::HasCode(Errc::invalid_argument));
  }
  EXPECT_THAT(ask("true", std::string(5000, 'a')), test::HasCode(Errc::invalid_argument));
  EXPECT_THAT(ask_helper("../evil", "r.example", home.environment(), Context()),
              test::HasCode(Errc::invalid_argument));
  EXPECT_FALSE(std::filesystem::exists(home.folder / "ran"));
}

TEST_F(HelperTest, TooMuchOutputIsCutOff) {
  EXPECT_THAT(ask("head -c 2000000 /dev/zero"), test::HasCode(Errc::too_large));
}

TEST_F(HelperTest, CircleEndsWithAnErrorThatNamesIt) {
  home.variables["BERTH_HELPER_DEPTH"] = "4";
  home.variables["BERTH_HELPER_CHAIN"] = "ring -> other -> ring -> other";
  const auto answer = ask("touch " + (home.folder / "ran").string());
  EXPECT_THAT(answer, test::HasCode(Errc::conflict));
  EXPECT_THAT(answer.error().message(), HasSubstr("ring -> other -> ring -> other -> test"));
  EXPECT_FALSE(std::filesystem::exists(home.folder / "ran"));
  home.variables["BERTH_HELPER_DEPTH"] = "many";
  EXPECT_THAT(ask("true"), test::HasCode(Errc::conflict));
}

TEST_F(HelperTest, TellsItsDepthToTheHelper) {
  home.variables["BERTH_HELPER_DEPTH"] = "2";
  home.variables["BERTH_HELPER_CHAIN"] = "a -> b";
  const auto answer =
      ask(R"(echo "{\"Username\":\"$BERTH_HELPER_DEPTH\",\"Secret\":\"$BERTH_HELPER_CHAIN\"}")");
  ASSERT_THAT(answer, test::IsOk());
  EXPECT_EQ((*answer)->username, "3");
  EXPECT_EQ((*answer)->password.reveal(), "a -> b -> test");
}

TEST_F(HelperTest, IsLookedUpInTheGivenPathOnlyAndNeverInTheCurrentFolder) {
  home.helper("test", "exit 1");
  home.variables["PATH"] = ".::relative:" + (home.folder / "empty").string();
  EXPECT_THAT(ask_helper("test", "r.example", home.environment(), Context()),
              test::HasCode(Errc::unauthenticated));
}

TEST_F(HelperTest, AHelperWithoutItsInterpreterFailsAsOneThatIsNotInstalled) {
  const auto path = home.folder.write("bin/docker-credential-test", "#!/nowhere/interpreter\n");
  ::chmod(path.c_str(), 0755);
  const auto answer = ask_helper("test", "r.example", home.environment(), Context());
  EXPECT_THAT(answer, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(answer.error().message(), HasSubstr("docker-credential-test"));
}

TEST_F(HelperTest, ContextEndsIt) {
  home.helper("test", "exec sleep 600");
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THAT(
      ask_helper("test", "r.example", home.environment(), Context().with_stop(stop.get_token())),
      test::HasCode(Errc::cancelled));
  EXPECT_THAT(ask_helper("test", "r.example", home.environment(), Context().nonblocking()),
              test::HasCode(Errc::would_block));
}

}  // namespace
}  // namespace berth::credential
