// SPDX-License-Identifier: Apache-2.0
// docs/semantics.md, "What an answer costs".
#include <barrier>
#include <cerrno>
#include <future>
#include <thread>

#include "unit/tree/tree_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

/// Waits for a condition that other threads bring about.
template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

void push_tags(MemoryRegistry& registry, int count) {
  const Digest digest = registry.push_image("a", "", {});
  for (int i = 0; i < count; ++i) {
    registry.repositories["a"].tags.insert_or_assign("t" + std::to_string(10'000 + i), digest);
  }
}

/// Also while others ask.
void refuse_heads(MemoryRegistry& registry, const std::optional<Error>& refusal) {
  const MutexLock lock(registry.mutex);
  registry.refusals.erase("head");
  if (refusal) registry.refusals.emplace("head", *refusal);
}

TEST_F(SemanticsTest, S30_AListingCostsItsRequestsAndNothingPerEntry) {
  push_tags(registry(), 2000);
  EXPECT_EQ(names("r.example/a").size(), 2000U);
  EXPECT_EQ(registry().count("catalogue"), 1U);
  EXPECT_EQ(registry().count("tags"), 2U) << "two pages";
  EXPECT_EQ(registry().requests(), 3U);
}

TEST_F(SemanticsTest, S31_TheSecondTimeWithinTagTtlCostsNothing) {
  push_tags(registry(), 10);
  names("r.example/a");
  see("r.example/a/t10000");
  ASSERT_TRUE(eventually([&] { return registry().count("head") == 10; }));
  const std::size_t before = registry().requests();
  world.clock.advance(std::chrono::seconds(59));
  names("r.example/a");
  see("r.example/a/t10000");
  EXPECT_EQ(registry().requests(), before);
  world.clock.advance(std::chrono::seconds(2));
  names("r.example/a");
  EXPECT_GT(registry().requests(), before);
}

TEST_F(SemanticsTest, S32_OneRequestHoweverManyAsk) {
  registry().push_image("a", "v1", {{"", "layer"}});
  ASSERT_THAT(find("r.example/a"), IsOk());
  constexpr int kAskers = 8;
  std::barrier start(kAskers);
  std::atomic<int> arrived = 0;
  // The one HEAD is held until everybody else had time to come and wait for it.
  registry().on_head = [&](const std::string&) { eventually([&] { return arrived == kAskers; }); };
  std::vector<std::thread> askers;
  for (int i = 0; i < kAskers; ++i) {
    askers.emplace_back([&] {
      start.arrive_and_wait();
      ++arrived;
      EXPECT_THAT(find("r.example/a/v1/manifest.json"), IsOk());
    });
  }
  for (auto& asker : askers) asker.join();
  EXPECT_EQ(registry().count("head"), 1U);
  EXPECT_EQ(registry().count("manifest"), 1U);
}

TEST_F(SemanticsTest, S33_TheFirstTagAfterAListingStartsTheHeadsOfItsFolder) {
  options.head_jobs = 4;
  push_tags(registry(), 40);
  names("r.example/a");
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  std::atomic<bool> hold = true;
  registry().on_head = [&](const std::string&) {
    const int here = ++now;
    int before = most;
    while (before < here && !most.compare_exchange_weak(before, here)) {
    }
    if (hold) eventually([&] { return now >= 4 || !hold; });
    hold = false;
    --now;
  };
  ASSERT_THAT(find("r.example/a/t10000"), IsOk());
  EXPECT_TRUE(eventually([&] { return registry().count("head") == 40; }));
  EXPECT_EQ(most, 4) << "head_jobs at once, and no more";
  const std::size_t before = registry().requests();
  for (int i = 0; i < 40; ++i) {
    EXPECT_THAT(find("r.example/a/t" + std::to_string(10'000 + i), true), IsOk());
  }
  EXPECT_EQ(registry().requests(), before);
}

TEST_F(SemanticsTest, S34_AtMost128TagsAreResolvedAheadOfTheReader) {
  push_tags(registry(), 1000);
  names("r.example/a");
  see("r.example/a/t10500");
  EXPECT_TRUE(eventually([&] { return registry().count("head") == 129; }));
  see("r.example/a/t10501");
  EXPECT_TRUE(eventually([&] { return registry().count("head") == 130; }));
  see("r.example/a/t10002");
  EXPECT_TRUE(eventually([&] { return registry().count("head") >= 131; }));
}

TEST_F(SemanticsTest, S35_TooManyRequestsEndsTheWorkAhead) {
  options.head_jobs = 1;
  push_tags(registry(), 100);
  names("r.example/a");
  std::atomic<int> heads = 0;
  registry().on_head = [&](const std::string&) {
    const MutexLock lock(registry().mutex);
    if (heads == 4) registry().refusals.emplace("head", Error(Errc::rate_limited, "slow down"));
    ++heads;  // last: who waits for it finds the refusal
  };
  ASSERT_THAT(find("r.example/a/t10000"), IsOk());
  ASSERT_TRUE(eventually([&] { return heads >= 5; }));
  // Who asked last may not have told the folder yet; then one is asked for that is refused, too.
  EXPECT_EQ(error("r.example/a/t10099"), Errc::rate_limited);
  const int asked = heads;
  EXPECT_LE(asked, 6);
  world.clock.advance(std::chrono::seconds(6));
  refuse_heads(registry(), std::nullopt);
  EXPECT_THAT(find("r.example/a/t10098"), IsOk());
  EXPECT_EQ(heads, asked + 1) << "nobody works ahead until the folder is listed again";
}

Error answered(Errc code, int status, std::optional<std::chrono::milliseconds> retry_after = {}) {
  return Error(code, "tag r.example/a:t10000: HTTP " + std::to_string(status))
      .with_http({.status = status,
                  .method = "HEAD",
                  .url = {},
                  .registry_code = {},
                  .registry_message = {},
                  .correlation_id = {},
                  .retry_after = retry_after});
}

/// As `ls -l`: how many of these ten tags fail with `code`.
int count_failures(const std::function<Errc(const std::string&)>& error, Errc code) {
  int count = 0;
  for (int i = 0; i < 10; ++i) {
    count += error("r.example/a/t" + std::to_string(10'000 + i)) == code ? 1 : 0;
  }
  return count;
}

TEST_F(SemanticsTest, S400_WhatBefallsAWholeFolderIsFoundOutOnce) {
  options.head_jobs = 1;
  push_tags(registry(), 10);
  const auto failures = [&](Errc code) {
    return count_failures([&](const std::string& path) { return error(path); }, code);
  };
  for (const Error& refusal :
       {answered(Errc::rate_limited, 429), answered(Errc::unavailable, 503),
        Error(Errc::unavailable, "cannot connect to r.example").with_sys_errno(ECONNREFUSED)}) {
    names("r.example/a");
    refuse_heads(registry(), refusal);
    const std::size_t before = registry().count("head");
    EXPECT_EQ(failures(refusal.code()), 10);
    // The one that was asked for, and the one that proves it for all or was on its way.
    const std::size_t asked = registry().count("head");
    EXPECT_LE(asked, before + 2) << refusal.describe();
    names("r.example/a");
    EXPECT_EQ(failures(refusal.code()), 10) << "also when it is listed again";
    EXPECT_EQ(registry().count("head"), asked);
    EXPECT_THAT(find("r.example/a/t10009").error().message(),
                ::testing::HasSubstr("tag r.example/a:t10009 is not asked for, after"));
    world.clock.advance(std::chrono::seconds(6));
    EXPECT_EQ(error("r.example/a/t10009"), refusal.code());
    EXPECT_EQ(registry().count("head"), asked + 1) << "after 5 s it is asked again";
    tree().refresh();
  }
  refuse_heads(registry(), std::nullopt);
  names("r.example/a");
  EXPECT_THAT(find("r.example/a/t10009"), IsOk()) << "refresh ends the rest";
}

TEST_F(SemanticsTest, S400_TheRegistrySaysForHowLong) {
  options.head_jobs = 1;
  push_tags(registry(), 10);
  // At least 5 s, at most 60.
  int tag = 10'001;
  for (const auto& [asked, rest] : {std::pair(20, 20), std::pair(1, 5), std::pair(300, 60)}) {
    const std::string next = "r.example/a/t" + std::to_string(tag++);  // never seen before
    refuse_heads(registry(), answered(Errc::rate_limited, 429, std::chrono::seconds(asked)));
    names("r.example/a");
    EXPECT_EQ(error("r.example/a/t10009"), Errc::rate_limited);
    refuse_heads(registry(), std::nullopt);
    world.clock.advance(std::chrono::seconds(rest) - std::chrono::milliseconds(500));
    EXPECT_EQ(error(next), Errc::rate_limited) << asked;
    world.clock.advance(std::chrono::seconds(1));
    EXPECT_THAT(find(next), IsOk()) << asked;
    tree().refresh();
  }
}

TEST_F(SemanticsTest, S408_OneBrokenTagTakesNoOtherOfItsFolderWithIt) {
  options.head_jobs = 1;
  for (const char* repository : {"a", "b", "c"}) {
    for (char number = '0'; number <= '9'; ++number) {
      registry().push_image(repository, std::string("t") + number, {});
    }
  }
  std::string folder = "r.example/a";
  for (const Error& refusal :
       {answered(Errc::unavailable, 503),
        Error(Errc::unavailable, "the connection broke before an answer came"),
        Error(Errc::unavailable, "cannot connect to r.example").with_sys_errno(ECONNREFUSED)}) {
    restart();  // and nobody works ahead in the one before
    registry().on_head = [&](const std::string& tag) {
      refuse_heads(registry(), tag == "t3" ? std::optional(refusal) : std::nullopt);
    };
    for (std::string tag : names(folder)) {
      tag.pop_back();  // the @ of a link
      EXPECT_EQ(find(folder + '/' + tag).has_value(), tag != "t3")
          << tag << ' ' << refusal.describe();
    }
    ++folder.back();
  }
  restart();
}

TEST_F(SemanticsTest, S400_WhatMayBeOfOneTagIsNotTakenForTheFolders) {
  options.head_jobs = 1;
  push_tags(registry(), 10);
  for (const Error& refusal : {answered(Errc::unavailable, 500), answered(Errc::denied, 403)}) {
    names("r.example/a");
    refuse_heads(registry(), refusal);
    EXPECT_EQ(error("r.example/a/t10000"), refusal.code());
    refuse_heads(registry(), std::nullopt);
    EXPECT_THAT(find("r.example/a/t10005"), IsOk());
    tree().refresh();
  }
}

TEST_F(SemanticsTest, S400_WhatWasSeenIsShownMeanwhile) {
  options.head_jobs = 1;
  push_tags(registry(), 2);
  registry().push_image("b", "v1", {});
  see("r.example/a/t10000");
  world.clock.advance(std::chrono::hours(1));
  names("r.example/a");
  refuse_heads(registry(), answered(Errc::rate_limited, 429));
  EXPECT_EQ(error("r.example/a/t10001"), Errc::rate_limited);
  refuse_heads(registry(), std::nullopt);
  see("r.example/b/v1");  // so that the registry is not away
  const std::size_t before = registry().count("head");
  see("r.example/a/t10000");
  EXPECT_EQ(registry().count("head"), before);
}

TEST_F(SemanticsTest, S36_ATargetFolderIsStattedFromTheHead) {
  registry().push_image("a", "v1", {});
  const auto folder = find("r.example/a/v1", true);
  ASSERT_THAT(folder, IsOk());
  EXPECT_EQ(folder->attributes.mtime, 1'700'000'000);
  EXPECT_EQ(registry().count("manifest"), 0U);
  EXPECT_EQ(registry().count("head"), 1U);
}

TEST_F(SemanticsTest, S37_WhoMustNotWaitIsToldSo) {
  registry().push_image("a", "v1", {{"", "layer"}});
  const Context now = Context().nonblocking();
  const auto host = find("r.example", false, now);
  ASSERT_THAT(host, IsOk());
  EXPECT_THAT(tree().lookup(host->node, "a", now), HasCode(Errc::would_block));
  EXPECT_THAT(tree().list(host->node, now), HasCode(Errc::would_block));
  EXPECT_EQ(registry().requests(), 0U);
  read("r.example/a/v1/layers/00.tar.gz");
  const std::size_t before = registry().requests();
  for (const char* path : {"r.example/a", "r.example/a/v1", "r.example/a/v1/manifest.json",
                           "r.example/a/v1/layers/00.tar.gz"}) {
    EXPECT_THAT(find(path, true, now), IsOk()) << path;
  }
  EXPECT_EQ(error("r.example/a/v2", now), Errc::would_block);
  EXPECT_EQ(registry().requests(), before);
}

TEST_F(SemanticsTest, S38_WhatAnotherProcessLearnedWithinTagTtlIsFresh) {
  registry().push_image("a", "v1", {{"", "layer"}});
  read("r.example/a/v1/manifest.json");
  names("r.example/a");
  restart();
  const std::size_t before = registry().requests();
  read("r.example/a/v1/manifest.json");
  EXPECT_THAT(names("r.example/a"), ElementsAre("v1@"));
  EXPECT_EQ(registry().requests(), before);

  options.trust_remembered = false;
  restart();
  see("r.example/a/v1");
  EXPECT_GT(registry().requests(), before);
}

TEST_F(SemanticsTest, S38_AlsoWhenItsOwnAnswersAreOver) {
  using std::chrono::seconds;
  const Digest old = registry().push_image("a", "v1", {{"", "old"}});
  std::vector<std::string> changes;
  Mutex mutex;
  options.on_changed = [&](const tree::NodePtr&, const std::string& name) {
    const MutexLock lock(mutex);
    changes.push_back(name);
  };
  EXPECT_EQ(target("r.example/a/v1"), ".manifests/sha256/" + hex(old));
  EXPECT_THAT(names("r.example/a"), ElementsAre("v1@"));
  EXPECT_EQ(error("r.example/b"), Errc::not_found);

  world.clock.advance(seconds(50));
  const Digest moved = registry().push_image("a", "v1", {{"", "new"}});
  registry().push_image("a", "v2", {});
  registry().push_image("b", "v1", {});
  tree::Options others = options;
  others.on_changed = nullptr;
  tree::Tree other(std::make_unique<MemorySources>(world), others);
  other.refresh();
  const auto ask = [&](const char* path) {
    const auto at = other.walk(other.root(), path, true, {});
    ASSERT_THAT(at, IsOk());
    ASSERT_THAT(other.list(at->node, {}), IsOk());
  };
  // The tag before its folder's list, so that nothing is resolved ahead.
  for (const char* path : {"r.example/a/v1", "r.example", "r.example/a", "r.example/b"}) ask(path);

  EXPECT_EQ(target("r.example/a/v1"), ".manifests/sha256/" + hex(old)) << "its own holds yet";
  world.clock.advance(seconds(15));
  const std::size_t before = registry().requests();
  EXPECT_EQ(target("r.example/a/v1"), ".manifests/sha256/" + hex(moved));
  EXPECT_THAT(names("r.example/a"), ElementsAre("v1@", "v2@"));
  EXPECT_THAT(names("r.example"), ElementsAre("a/", "b/"));
  EXPECT_EQ(registry().requests(), before);
  {
    const MutexLock lock(mutex);
    EXPECT_THAT(changes, ::testing::IsSupersetOf({"v1", "v2", "b"})) << "and it is told";
  }

  world.clock.advance(seconds(46));
  EXPECT_EQ(target("r.example/a/v1"), ".manifests/sha256/" + hex(moved));
  EXPECT_GT(registry().requests(), before) << "the other's is over as well";
}

TEST_F(SemanticsTest, S39_RefreshForgetsWhatMayHaveChanged) {
  const Digest old = registry().push_image("a", "v1", {{"", "old"}});
  EXPECT_THAT(names("r.example/a"), ElementsAre("v1@"));
  EXPECT_EQ(target("r.example/a/v1"), ".manifests/sha256/" + hex(old));
  EXPECT_EQ(error("r.example/a/v2"), Errc::not_found);
  const Digest moved = registry().push_image("a", "v1", {{"", "new"}});
  registry().push_image("a", "v2", {});
  EXPECT_EQ(target("r.example/a/v1"), ".manifests/sha256/" + hex(old)) << "for tag_ttl";
  world.clock.advance(std::chrono::milliseconds(1));
  tree().refresh();
  EXPECT_EQ(target("r.example/a/v1"), ".manifests/sha256/" + hex(moved));
  EXPECT_THAT(find("r.example/a/v2"), IsOk());
  EXPECT_THAT(names("r.example/a"), ElementsAre("v1@", "v2@"));
}

TEST_F(SemanticsTest, S39_AnAnswerThatIsOnItsWayDuringARefreshIsNoneToWhoAsksAfterIt) {
  const Digest old = registry().push_image("a", "v1", {{"", "old"}});
  std::atomic<bool> is_first = true;
  std::atomic<bool> answered = false;
  std::atomic<bool> go = false;
  registry().on_head_answered = [&] {
    if (!is_first.exchange(false)) return;
    answered = true;
    eventually([&] { return go.load(); });
  };
  auto before = std::async(std::launch::async, [&] { return target("r.example/a/v1"); });
  ASSERT_TRUE(eventually([&] { return answered.load(); }));
  const Digest moved = registry().push_image("a", "v1", {{"", "new"}});
  world.clock.advance(std::chrono::milliseconds(1));
  tree().refresh();
  auto after = std::async(std::launch::async, [&] { return target("r.example/a/v1"); });
  // Long enough to come and wait for the first one's answer.
  EXPECT_EQ(after.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  go = true;
  EXPECT_EQ(before.get(), ".manifests/sha256/" + hex(old));
  EXPECT_EQ(after.get(), ".manifests/sha256/" + hex(moved));
  EXPECT_EQ(target("r.example/a/v1"), ".manifests/sha256/" + hex(moved));
}

TEST_F(SemanticsTest, S40_AMovedTagIsAnotherNodeAndIsTold) {
  std::vector<std::string> changes;
  Mutex mutex;
  options.on_changed = [&](const tree::NodePtr& folder, const std::string& name) {
    const MutexLock lock(mutex);
    changes.push_back(folder->identity() + '|' + name);
  };
  registry().push_image("n/a", "v1", {{"", "old"}});
  const auto before = find("r.example/n/a/v1");
  registry().push_image("n/a", "v1", {{"", "new"}});
  world.clock.advance(std::chrono::seconds(61));
  const auto after = find("r.example/n/a/v1");
  EXPECT_NE(before->node->identity(), after->node->identity());
  EXPECT_THAT(changes, ElementsAre(find("r.example/n/a")->node->identity() + "|v1",
                                   find("r.example/n")->node->identity() + "|a:v1"));
  EXPECT_EQ(*tree().read_link(before->node, {}), *tree().read_link(before->node, {}))
      << "what a node leads to never changes";

  changes.clear();
  registry().repositories["n/a"].tags.erase("v1");
  registry().push_image("n/a", "v2", {});
  world.clock.advance(std::chrono::seconds(61));
  EXPECT_EQ(error("r.example/n/a/v1"), Errc::not_found);
  EXPECT_THAT(changes, ::testing::Contains(find("r.example/n/a")->node->identity() + "|v1"));
}

TEST_F(SemanticsTest, S41_AChangedListIsToldNameByName) {
  std::vector<std::string> changes;
  options.on_changed = [&](const tree::NodePtr&, const std::string& name) {
    changes.push_back(name);
  };
  registry().push_image("a", "gone", {});
  registry().push_image("a", "stays", {});
  registry().push_image("b", "x", {});
  names("r.example/a");
  registry().repositories["a"].tags.erase("gone");
  registry().push_image("a", "new", {});
  registry().repositories.erase("b");
  world.clock.advance(std::chrono::seconds(61));
  names("r.example/a");
  EXPECT_THAT(changes, ::testing::UnorderedElementsAre("gone", "a:gone", "new", "a:new", "b"));
}

TEST_F(SemanticsTest, S42_ATagIsAsOldAsItsDigestUnderIt) {
  registry().push_image("a", "v1", {{"", "old"}});
  EXPECT_EQ(find("r.example/a/v1")->attributes.mtime, 1'700'000'000);
  world.clock.advance(std::chrono::hours(1));
  restart();
  EXPECT_EQ(find("r.example/a/v1")->attributes.mtime, 1'700'000'000) << "remembered";
  EXPECT_EQ(find("r.example/a/v1", true)->attributes.mtime, 1'700'000'000);
  registry().push_image("a", "v1", {{"", "new"}});
  world.clock.advance(std::chrono::hours(1));
  EXPECT_EQ(find("r.example/a/v1")->attributes.mtime, 1'700'007'200);
}

TEST_F(SemanticsTest, S43_OneWhoGivesUpDoesNotFailTheOthers) {
  registry().push_image("a", "v1", {});
  see("r.example/a");
  std::stop_source stop;
  std::atomic<int> heads = 0;
  // The first HEAD ends as its asker does, the second one is answered.
  registry().on_head = [&](const std::string&) {
    if (++heads == 1) eventually([&] { return stop.stop_requested(); });
    const MutexLock lock(registry().mutex);
    registry().refusals.clear();
    if (heads == 1) registry().refusals.emplace("head", Error(Errc::cancelled, "given up"));
  };
  std::thread first([&] {
    EXPECT_THAT(find("r.example/a/v1", false, Context().with_stop(stop.get_token())),
                HasCode(Errc::cancelled));
  });
  ASSERT_TRUE(eventually([&] { return heads == 1; }));
  std::atomic<bool> asking = false;
  std::thread second([&] {
    asking = true;
    EXPECT_THAT(find("r.example/a/v1"), IsOk());
  });
  ASSERT_TRUE(eventually([&] { return asking.load(); }));
  stop.request_stop();
  first.join();
  second.join();
  EXPECT_EQ(heads, 2);
}

TEST_F(SemanticsTest, S31_WhatWasRefreshedIsAskedForAgainByTheNextProcess) {
  registry().push_image("a", "v1", {});
  see("r.example/a:v1");
  ASSERT_THAT(names("r.example/a"), ElementsAre("v1@"));
  restart();
  const auto heads = registry().count("head");
  const auto lists = registry().count("tags");
  world.clock.advance(std::chrono::milliseconds(1));
  world.remembered.distrust("r.example", "a");
  see("r.example/a:v1");
  ASSERT_THAT(names("r.example/a"), ElementsAre("v1@"));
  EXPECT_GT(registry().count("head"), heads);
  EXPECT_GT(registry().count("tags"), lists);
}

TEST_F(SemanticsTest, S72_AListingOfBlobsReadsNoManifestOnAThreadThatMustNotWait) {
  registry().push_image("a", "v1", {{"", "layer"}});
  see("r.example/a:v1/manifest.json");
  const auto blobs = find("r.example/a/.blobs/sha256");
  ASSERT_THAT(blobs, IsOk());
  EXPECT_THAT(tree().list(blobs->node, Context{}.nonblocking()), HasCode(Errc::would_block));
  const auto entries = tree().list(blobs->node, {});
  ASSERT_THAT(entries, IsOk());
  EXPECT_EQ(entries->size(), 2U) << "its config and its layer";
}

TEST_F(SemanticsTest, S42_WithoutAMountAFolderHasNoTimeOfItsOwn) {
  registry().push_image("a", "v1", {});
  EXPECT_GT(find("r.example/a")->attributes.mtime, 0);
  options.start_is_time = false;
  restart();
  EXPECT_EQ(find("r.example/a")->attributes.mtime, 0);
  EXPECT_GT(find("r.example/a/v1", true)->attributes.mtime, 0) << "seen now: that is its time";
}

}  // namespace
}  // namespace berth::test
