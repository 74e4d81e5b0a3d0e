// SPDX-License-Identifier: Apache-2.0
// The keychain's helpers: which is asked, what its answer means for the search.
#include <thread>

#include "berth/credential/keychain.hpp"

#include "support/fake_clock.hpp"
#include "unit/credential/keychain_fixture.hpp"

namespace berth::credential {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

constexpr const char* kNone = "echo credentials not found in native keychain; exit 1";

std::string answer(const std::string& user) {
  return R"(echo '{"ServerURL":"","Username":")" + user + R"(","Secret":"p"}')";
}

TEST_F(KeychainTest, CredHelperComesBeforeCredsStoreBeforeAuths) {
  home.helper("host", answer("from-host-helper"));
  home.helper("store", answer("from-store"));
  home.docker(R"({"credHelpers":{"r.example":"host"},"credsStore":"store",)"
              R"("auths":{"r.example":{"auth":"ZmlsZTpw"}}})");
  EXPECT_EQ(user_of("r.example"), "from-host-helper:p");
  EXPECT_EQ(user_of("other.example"), "from-store:p");
  home.helper("host", kNone);
  EXPECT_EQ(user_of("r.example"), "from-store:p");
  home.helper("store", kNone);
  EXPECT_EQ(user_of("r.example"), "file:p");
}

TEST_F(KeychainTest, AHelperThatFailsIsNeverAReasonToTryAnother) {
  home.helper("host", "echo 'the key ring is locked'; exit 1");
  home.docker(R"({"credHelpers":{"r.example":"host"},"auths":{"r.example":{"auth":"ZmlsZTpw"}}})");
  const auto found = find("r.example");
  EXPECT_THAT(found, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(found.error().message(), HasSubstr("the key ring is locked"));
  EXPECT_THAT(found.error().message(), HasSubstr("credHelpers of ~/.docker/config.json"));
  EXPECT_EQ(user_of("other.example"), "");
}

TEST_F(KeychainTest, AHelperThatIsNotInstalledIsAnError) {
  home.docker(R"({"credsStore":"absent"})");
  const auto found = find("r.example");
  EXPECT_THAT(found, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(found.error().message(), HasSubstr("docker-credential-absent"));
}

TEST_F(KeychainTest, HelpersAreAskedForDockersName) {
  home.helper("log", R"(echo "$url" >> ")" + (home.folder / "log").string() + "\"; " + kNone);
  home.docker(R"({"credsStore":"log"})");
  user_of("docker.io");
  user_of("r.example:5000");
  EXPECT_EQ(home.read("log"), "https://index.docker.io/v1/\nr.example:5000\n");
}

TEST_F(KeychainTest, PodmanGoesOnToTheNextFileWhenAHostsHelperHasNone) {
  home.helper("none", kNone);
  home.runtime_auth(
      R"({"credHelpers":{"r.example":"none"},"auths":{"r.example":{"auth":"c2FtZTpw"}}})");
  EXPECT_EQ(user_of("r.example"), "");
  home.config_auth(auths("r.example", "next:p"));
  EXPECT_EQ(user_of("r.example"), "next:p");
}

TEST_F(KeychainTest, PodmanKnowsNoCredsStore) {
  home.helper("store", answer("from-store"));
  home.runtime_auth(R"({"credsStore":"store"})");
  EXPECT_EQ(user_of("r.example"), "");
}

TEST_F(KeychainTest, TheHelperBerthIsNeverExecuted) {
  const std::string mark = (home.folder / "executed").string();
  home.helper("berth", "touch " + mark + "; " + answer("loop"));
  home.docker(R"({"credsStore":"berth","auths":{"r.example":{"auth":"ZmlsZTpw"}}})");
  const auto found = find("r.example");
  ASSERT_THAT(found, test::IsOk());
  EXPECT_EQ(found->credential.username, "file");
  EXPECT_FALSE(std::filesystem::exists(mark));
  EXPECT_THAT(found->tried, Contains(Field(&Tried::outcome, HasSubstr("berth's own routes"))));
}

TEST_F(KeychainTest, TriedListsEachStep) {
  home.helper("none", kNone);
  home.docker(R"({"credsStore":"none"})");
  const auto found = find("r.example");
  ASSERT_THAT(found, test::IsOk());
  std::vector<std::string> steps;
  for (const Tried& step : found->tried) steps.push_back(step.source + ": " + step.outcome);
  EXPECT_THAT(steps,
              ElementsAre("helper none (credsStore of ~/.docker/config.json): none for r.example",
                          HasSubstr("/.docker/config.json: no entry for r.example"),
                          HasSubstr("/containers/auth.json: no such file"),
                          HasSubstr("/.config/containers/auth.json: no such file"),
                          HasSubstr("/.dockercfg: no such file"), HasSubstr("berth's store")));
}

TEST_F(KeychainTest, AnAnswerIsKeptUntilItIsForgotten) {
  const std::string log = (home.folder / "log").string();
  home.helper("count", "echo x >> " + log + "; " + answer("u"));
  home.docker(R"({"credsStore":"count"})");
  test::FakeClock clock;
  KeychainOptions given = options();
  given.clock = &clock;
  Keychain keychain(given);
  const auto runs_after_find = [&] {
    EXPECT_THAT(keychain.find("r.example", "a", Context()), test::IsOk());
    return home.read("log").size() / 2;
  };
  EXPECT_EQ(runs_after_find(), 1U);
  EXPECT_EQ(runs_after_find(), 1U);
  keychain.forget_helper_answers("r.example");
  EXPECT_EQ(runs_after_find(), 1U) << "an answer of this moment was asked for again";
  clock.advance(std::chrono::seconds(10));
  EXPECT_EQ(runs_after_find(), 1U);
  keychain.forget_helper_answers("r.example");
  EXPECT_EQ(runs_after_find(), 2U);
  clock.advance(std::chrono::minutes(5));
  EXPECT_EQ(runs_after_find(), 3U);
}

TEST_F(KeychainTest, ManyWhoWaitCauseOneRun) {
  const std::string log = (home.folder / "log").string();
  home.helper("slow", "echo x >> " + log + "; sleep 0.2; " + answer("u"));
  home.docker(R"({"credsStore":"slow"})");
  Keychain keychain = Keychain(options());
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const auto found = keychain.find("r.example", "", Context());
      ASSERT_THAT(found, test::IsOk());
      EXPECT_EQ(found->credential.username, "u");
    });
  }
  threads.clear();
  EXPECT_EQ(home.read("log"), "x\n");
}

TEST_F(KeychainTest, ANonBlockingSearchReadsFilesButRunsNothing) {
  home.helper("store", answer("u"));
  home.docker(R"({"credHelpers":{"h.example":"store"},"auths":{"r.example":{"auth":"ZmlsZTpw"}}})");
  Keychain keychain = Keychain(options());
  const auto file = keychain.find("r.example", "", Context().nonblocking());
  ASSERT_THAT(file, test::IsOk());
  EXPECT_EQ(file->credential.username, "file");
  EXPECT_THAT(keychain.find("h.example", "", Context().nonblocking()),
              test::HasCode(Errc::would_block));
  EXPECT_THAT(keychain.find("h.example", "", Context()), test::IsOk());
  EXPECT_THAT(keychain.find("h.example", "", Context().nonblocking()), test::IsOk());
}

TEST_F(KeychainTest, WhoseOwnTimeIsOverIsToldSo) {
  home.helper("hang", "exec sleep 600");
  home.docker(R"({"credsStore":"hang"})");
  const Context brief = Context().with_timeout(std::chrono::milliseconds(50));
  EXPECT_THAT(keychain().find("r.example", "", brief), test::HasCode(Errc::timeout));
}

TEST_F(KeychainTest, AHangingHelperIsKilled) {
  home.helper("hang", "echo $$ > " + (home.folder / "pid").string() + "; exec sleep 600");
  home.docker(R"({"credsStore":"hang"})");
  KeychainOptions given = options();
  given.helper_timeout = std::chrono::seconds(1);
  const auto found = Keychain(given).find("r.example", "", Context());
  EXPECT_THAT(found, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(found.error().message(), HasSubstr("no answer in time"));
  const int pid = std::stoi(home.read("pid"));
  EXPECT_NE(::kill(pid, 0), 0) << "the helper still runs";
}

// S418
TEST_F(KeychainTest, AHelperThatHungIsNotAskedForItsNextServerForAWhile) {
  const std::string log = (home.folder / "log").string();
  home.helper("hang", "echo $url >> " + log + "; exec sleep 600");
  home.helper("well", answer("u"));
  home.docker(R"({"credHelpers":{"a.example":"hang","b.example":"hang","c.example":"well"}})");
  test::FakeClock clock;
  KeychainOptions given = options();
  given.helper_timeout = std::chrono::seconds(1);
  given.clock = &clock;
  Keychain keychain(given);
  EXPECT_THAT(keychain.find("a.example", "", Context()), test::HasCode(Errc::unauthenticated));
  const auto next = keychain.find("b.example", "", Context());
  EXPECT_THAT(next, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(next.error().message(), HasSubstr("helper hang is not asked for b.example after"));
  EXPECT_THAT(keychain.find("c.example", "", Context()), test::IsOk());
  EXPECT_EQ(home.read("log"), "a.example\n");
  clock.advance(std::chrono::seconds(5));
  EXPECT_THAT(keychain.find("b.example", "", Context()), test::HasCode(Errc::unauthenticated));
  EXPECT_EQ(home.read("log"), "a.example\nb.example\n");
}

}  // namespace
}  // namespace berth::credential
