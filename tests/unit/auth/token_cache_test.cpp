// SPDX-License-Identifier: Apache-2.0
#include "auth/token_cache.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <latch>
#include <thread>

#include "berth/base/log.hpp"

#include "support/fake_clock.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace berth::auth {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TokenCacheTest : public ::testing::Test {
 protected:
  Token token(const std::string& value, seconds life = seconds(300)) const {
    return {.value = Secret(value),
            .refresh_at = clock.now() + life - life / 10,
            .expires = clock.now() + life};
  }
  /// Fetches "T1", "T2", ...
  TokenCache::Fetch counting() {
    return [this]() -> Result<Token> { return token("T" + std::to_string(++fetches)); };
  }
  std::string get(TokenCache& cache, const Scopes& scopes, const std::string& rejected = "") {
    const auto issued = cache.get("id", scopes, Secret(rejected), counting(), Context());
    EXPECT_THAT(issued, test::IsOk());
    return issued ? issued->token.value.reveal() : "";
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  test::FakeClock clock;
  test::TempDir temp;
  std::filesystem::path folder = temp / "tokens";
  const Scopes pull = Scopes::pull("a");
  std::atomic<int> fetches = 0;
};

TEST_F(TokenCacheTest, FetchesOnceAndAgainWhenItGrowsOld) {
  TokenCache cache(std::nullopt, clock);
  EXPECT_EQ(get(cache, pull), "T1");
  EXPECT_EQ(get(cache, pull), "T1");
  clock.advance(seconds(269));
  EXPECT_EQ(get(cache, pull), "T1");
  clock.advance(seconds(1));
  EXPECT_EQ(get(cache, pull), "T2") << "a tenth of its life was left";
}

TEST_F(TokenCacheTest, ATokenForMoreServesWhoNeedsLess) {
  for (const auto& where : {std::optional<std::filesystem::path>(), std::optional(folder)}) {
    TokenCache cache(where, clock);
    const std::string all = get(cache, Scopes::parse("repository:a:pull,push repository:b:pull"));
    EXPECT_EQ(get(cache, pull), all);
    EXPECT_NE(get(cache, Scopes::pull("c")), all);
  }
}

TEST_F(TokenCacheTest, AnotherProcesssTokenIsFoundByItsNameAlone) {
  const auto repository = [](int i) { return Scopes::pull("r" + std::to_string(i)); };
  {
    TokenCache cache(folder, clock);
    for (int i = 0; i < 50; ++i) get(cache, repository(i));
  }
  TokenCache cache(folder, clock);
  EXPECT_EQ(get(cache, repository(7)), "T8");
  EXPECT_EQ(get(cache, Scopes::parse("repository:r7:pull repository:r8:pull")), "T51");
}

TEST_F(TokenCacheTest, MemoryIsBounded) {
  TokenCache cache(std::nullopt, clock);
  get(cache, Scopes::pull("first"));
  clock.advance(seconds(1));
  for (int i = 0; i < 1100; ++i) get(cache, Scopes::pull("r" + std::to_string(i)));
  const int before = fetches;
  get(cache, Scopes::pull("r1099"));
  EXPECT_EQ(fetches, before) << "the newest was dropped";
  get(cache, Scopes::pull("first"));
  EXPECT_EQ(fetches, before + 1) << "the oldest was kept";
}

TEST_F(TokenCacheTest, AnExceptionOfWhoFetchesHoldsUpNobody) {
  TokenCache cache(std::nullopt, clock);
  const auto throws = []() -> Result<Token> { throw std::runtime_error("no memory"); };
  EXPECT_THROW((void)cache.get("id", pull, Secret(), throws, Context()), std::runtime_error);
  const Context soon = Context().with_timeout(seconds(20));
  EXPECT_THAT(cache.get("id", pull, Secret(), counting(), soon), test::IsOk());
}

TEST_F(TokenCacheTest, ARejectedTokenIsNotGivenAgain) {
  TokenCache cache(folder, clock);
  EXPECT_EQ(get(cache, pull), "T1");
  EXPECT_EQ(get(cache, pull, "T1"), "T2");
  EXPECT_EQ(get(cache, pull, "T1"), "T2") << "another thread's new token was not taken";
  EXPECT_EQ(get(cache, pull), "T2");
  TokenCache other(folder, clock);
  EXPECT_EQ(get(other, pull), "T2");
}

TEST_F(TokenCacheTest, IdentitiesAreApart) {
  TokenCache cache(folder, clock);
  const std::string alice = cache.identity_key({"https://r", "alice", "pw"});
  EXPECT_NE(alice, cache.identity_key({"https://r", "alicep", "w"}));
  EXPECT_NE(alice, cache.identity_key({"https://r", "alice", "other"}));
  EXPECT_EQ(alice, cache.identity_key({"https://r", "alice", "pw"}));
  EXPECT_EQ(TokenCache(folder, clock).identity_key({"https://r", "alice", "pw"}), alice);
  EXPECT_NE(TokenCache(std::nullopt, clock).identity_key({"https://r", "alice", "pw"}), alice);
  ASSERT_THAT(cache.get(alice, pull, Secret(), counting(), Context()), test::IsOk());
  const auto other = cache.get(cache.identity_key({"https://r", "bob", "pw"}), pull, Secret(),
                               counting(), Context());
  EXPECT_EQ(other->token.value.reveal(), "T2");
}

TEST_F(TokenCacheTest, AnOldTokenIsBetterThanNoneWhileItLives) {
  TokenCache cache(std::nullopt, clock);
  EXPECT_EQ(get(cache, pull), "T1");
  clock.advance(seconds(280));
  const auto down = []() -> Result<Token> { return Error(Errc::unavailable, "down"); };
  const auto refuse = []() -> Result<Token> { return Error(Errc::unauthenticated, "no"); };
  EXPECT_THAT(cache.get("id", pull, Secret(), down, Context()), test::IsOk());
  EXPECT_THAT(cache.get("id", pull, Secret(), refuse, Context()),
              test::HasCode(Errc::unauthenticated));
  clock.advance(seconds(20));
  EXPECT_THAT(cache.get("id", pull, Secret(), down, Context()), test::HasCode(Errc::unavailable));
}

TEST_F(TokenCacheTest, NonBlockingTakesWhatIsThere) {
  TokenCache cache(std::nullopt, clock);
  const Context now = Context().nonblocking();
  EXPECT_THAT(cache.get("id", pull, Secret(), counting(), now), test::HasCode(Errc::would_block));
  EXPECT_EQ(get(cache, pull), "T1");
  EXPECT_THAT(cache.get("id", pull, Secret(), counting(), now), test::IsOk());
}

TEST_F(TokenCacheTest, OneFetchForSixteenThreads) {
  TokenCache cache(folder, clock);
  std::latch all_there(16);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      all_there.arrive_and_wait();
      EXPECT_EQ(get(cache, pull), "T1");
    });
  }
  threads.clear();
  EXPECT_EQ(fetches, 1);
}

TEST_F(TokenCacheTest, OneRefreshForSixteenThreadsWhoseTokenWasRefused) {
  TokenCache cache(std::nullopt, clock);
  EXPECT_EQ(get(cache, pull), "T1");
  std::latch all_there(16);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      all_there.arrive_and_wait();
      EXPECT_EQ(get(cache, pull, "T1"), "T2");
    });
  }
  threads.clear();
  EXPECT_EQ(fetches, 2);
}

TEST_F(TokenCacheTest, WhoWaitsTakesOverFromOneThatWasCancelled) {
  TokenCache cache(std::nullopt, clock);
  std::latch started(1);
  std::latch cancelled(1);
  std::jthread first([&] {
    const auto fetch = [&]() -> Result<Token> {
      started.count_down();
      cancelled.wait();
      return Error(Errc::cancelled, "by its own caller");
    };
    EXPECT_THAT(cache.get("id", pull, Secret(), fetch, Context()), test::HasCode(Errc::cancelled));
  });
  started.wait();
  std::jthread second([&] { EXPECT_EQ(get(cache, pull), "T1"); });
  cancelled.count_down();
}

/// Does this thread of the process come to wait for something?
bool falls_asleep(const std::atomic<pid_t>& thread) {
  const auto end = std::chrono::steady_clock::now() + seconds(20);
  while (std::chrono::steady_clock::now() < end) {
    std::ifstream stat("/proc/self/task/" + std::to_string(thread.load()) + "/stat");
    const std::string text(std::istreambuf_iterator<char>(stat), {});
    const std::size_t name = text.rfind(')');
    if (name != std::string::npos && text.substr(name, 3) == ") S") return true;
    std::this_thread::yield();
  }
  return false;
}

TEST_F(TokenCacheTest, WhoWaitsSharesAFailure) {
  TokenCache cache(std::nullopt, clock);
  std::atomic<pid_t> second_thread = 0;
  std::latch started(1);
  std::jthread first([&] {
    const auto fetch = [&]() -> Result<Token> {
      started.count_down();
      EXPECT_TRUE(falls_asleep(second_thread)) << "the second did not wait";
      return Error(Errc::unauthenticated, "wrong password");
    };
    EXPECT_THAT(cache.get("id", pull, Secret(), fetch, Context()),
                test::HasCode(Errc::unauthenticated));
  });
  started.wait();
  second_thread = ::gettid();
  EXPECT_THAT(cache.get("id", pull, Secret(), counting(), Context()),
              test::HasCode(Errc::unauthenticated));
  EXPECT_EQ(fetches, 0) << "it fetched as well";
}

TEST_F(TokenCacheTest, WaitingEndsWithTheCallersContext) {
  TokenCache cache(std::nullopt, clock);
  std::latch started(1);
  std::latch end(1);
  std::jthread first([&] {
    const auto fetch = [&]() -> Result<Token> {
      started.count_down();
      end.wait();
      return token("T");
    };
    EXPECT_THAT(cache.get("id", pull, Secret(), fetch, Context()), test::IsOk());
  });
  started.wait();
  const Context soon = Context().with_timeout(std::chrono::milliseconds(20));
  EXPECT_THAT(cache.get("id", pull, Secret(), counting(), soon), test::HasCode(Errc::timeout));
  end.count_down();
}

TEST_F(TokenCacheTest, OneFetchForFourProcesses) {
  auto* shared = static_cast<std::atomic<int>*>(::mmap(nullptr, sizeof(std::atomic<int>),
                                                       PROT_READ | PROT_WRITE,
                                                       MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(shared, MAP_FAILED);
  new (shared) std::atomic<int>(0);
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      ::alarm(60);  // one that waits for ever fails the test
      TokenCache cache(folder, clock);
      const auto fetch = [&]() -> Result<Token> {
        const int number = ++*shared;
        ::usleep(50'000);  // a token server's time, in which the others come
        return token("T" + std::to_string(number));
      };
      const auto issued = cache.get("id", pull, Secret(), fetch, Context());
      ::_exit(issued && issued->token.value.reveal() == "T1" ? 0 : 1);
    }
    children.push_back(pid);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(*shared, 1);
  ::munmap(shared, sizeof(std::atomic<int>));
}

TEST_F(TokenCacheTest, AProcessThatDiedHoldsUpNobody) {
  {
    TokenCache cache(folder, clock);
    get(cache, Scopes::pull("other"));
  }
  const pid_t pid = ::fork();
  if (pid == 0) {
    TokenCache cache(folder, clock);
    const auto die = []() -> Result<Token> { ::_exit(0); };
    (void)cache.get("id", pull, Secret(), die, Context());
    ::_exit(1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  TokenCache cache(folder, clock);
  EXPECT_EQ(get(cache, pull), "T2");
}

TEST_F(TokenCacheTest, FilesArePrivateAndTellNothing) {
  {
    TokenCache cache(folder, clock);
    get(cache, pull);
  }
  struct stat status{};
  ASSERT_EQ(::stat(folder.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
  EXPECT_EQ(files().size(), 2U) << "the key and a token, no lock and no temporary";
  for (const std::string& name : files()) {
    ASSERT_EQ(::stat((folder / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600U) << name;
  }
}

class OpenFolderTest : public TokenCacheTest {
 protected:
  /// The folder is not used: a token is not found there, and the log says why.
  void expect_refused(const std::string& why) {
    std::vector<std::string> lines;
    log::set_sink([&](log::Level, std::string_view line) { lines.emplace_back(line); },
                  log::Level::warning);
    TokenCache cache(folder, clock);
    TokenCache other(folder, clock);
    log::set_sink({}, log::Level::error);
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_THAT(lines[0], HasSubstr("tokens are kept in memory only"));
    EXPECT_THAT(lines[0], HasSubstr(why));
    const std::string mine = get(cache, pull);
    EXPECT_EQ(get(cache, pull), mine);
    EXPECT_NE(get(other, pull), mine);
  }
};

TEST_F(OpenFolderTest, AFolderOpenToOthersIsRefused) {
  std::filesystem::create_directories(folder);
  ::chmod(folder.c_str(), 0755);
  expect_refused("chmod 700");
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(OpenFolderTest, ALinkIsNotFollowed) {
  std::filesystem::create_directories(temp / "elsewhere");
  ::chmod((temp / "elsewhere").c_str(), 0700);
  std::filesystem::create_directory_symlink(temp / "elsewhere", folder);
  expect_refused("");
  EXPECT_TRUE(std::filesystem::is_empty(temp / "elsewhere"));
}

TEST_F(OpenFolderTest, SomebodyElsesFolderIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a folder away";
  std::filesystem::create_directories(folder);
  ::chmod(folder.c_str(), 0700);
  ASSERT_EQ(::chown(folder.c_str(), 12345, 12345), 0);
  expect_refused("this user's");
}

TEST_F(OpenFolderTest, AKeyThatOthersCanReadIsRefused) {
  {
    TokenCache cache(folder, clock);
  }
  ::chmod((folder / "key").c_str(), 0644);
  expect_refused("key");
}

TEST_F(OpenFolderTest, AFileInItsPlaceIsRefused) {
  temp.write("tokens", "x");
  expect_refused("");
}

TEST_F(TokenCacheTest, DamagedAndForeignFilesAreFetchedAgain) {
  std::string name;
  {
    TokenCache cache(folder, clock);
    get(cache, pull);
    for (const std::string& file : files()) name = file == "key" ? name : file;
  }
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("{\"token\":\"x\"}"),
        std::string(R"({"version":1,"scopes":"","refresh_at":"x","expires":1,"token":"x"})"),
        std::string(500'000, ' ')}) {
    std::ofstream(folder / name) << text;
    TokenCache cache(folder, clock);
    const int before = fetches;
    get(cache, pull);
    EXPECT_EQ(fetches, before + 1) << text.substr(0, 80);
  }
  ::chmod((folder / name).c_str(), 0644);
  TokenCache cache(folder, clock);
  const int before = fetches;
  get(cache, pull);
  EXPECT_EQ(fetches, before + 1) << "a file open to others was believed";
}

TEST_F(TokenCacheTest, WhatExpiredIsSweptAway) {
  TokenCache cache(folder, clock);
  get(cache, Scopes::pull("old"));
  EXPECT_EQ(files().size(), 2U);
  clock.advance(minutes(10));
  get(cache, pull);
  EXPECT_EQ(files().size(), 2U);
}

TEST_F(TokenCacheTest, LosesItsFolderAndGoesOn) {
  TokenCache cache(folder, clock);
  get(cache, pull);
  std::filesystem::remove_all(folder);
  EXPECT_EQ(get(cache, pull), "T1");
  EXPECT_EQ(get(cache, Scopes::pull("b")), "T2");
}

TEST(TokenFolderTest, IsFoundByTheEnvironment) {
  const auto folder_with = [](std::map<std::string, std::string> variables) {
    return token_folder([variables](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      return found == variables.end() ? std::nullopt : std::optional(found->second);
    });
  };
  EXPECT_EQ(folder_with({{"BERTH_TOKENS", "/t"}, {"XDG_RUNTIME_DIR", "/r"}}), "/t");
  EXPECT_EQ(folder_with({{"XDG_RUNTIME_DIR", "/run/user/7"}}), "/run/user/7/berth");
  const auto fallback = folder_with({{"XDG_RUNTIME_DIR", "relative"}});
  if (::geteuid() == 0) {
    EXPECT_EQ(fallback, "/run/berth");
  } else {
    EXPECT_EQ(fallback, std::nullopt);
  }
}

}  // namespace
}  // namespace berth::auth
