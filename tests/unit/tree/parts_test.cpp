// SPDX-License-Identifier: Apache-2.0
// The small parts that the tree stands on.
#include <thread>

#include <gtest/gtest.h>

#include "berth/digest/hasher.hpp"

#include "support/matchers.hpp"
#include "tree/heads.hpp"
#include "tree/lru.hpp"
#include "tree/names.hpp"

namespace berth::tree {
namespace {

using test::HasCode;
using test::IsOk;
using test::IsOkAndHolds;
using ::testing::ElementsAre;

TEST(SafeNameTest, KeepsWhatIsHarmless) {
  for (const char* name :
       {"model.bin", "a b", "-x", "~", "caf\xC3\xA9", "...", ".hidden", "x\\y"}) {
    EXPECT_EQ(safe_name(name), name);
  }
}

TEST(SafeNameTest, IsNeverLongerThanANameMayBe) {
  EXPECT_EQ(safe_name(std::string(300, 'x')).size(), 255U);
  // 254 bytes and a character of two: it does not fit, and is not cut in half.
  EXPECT_EQ(safe_name(std::string(254, 'x') + "\xC3\xA9").size(), 254U);
  EXPECT_EQ(numbered_name(std::string(255, 'x'), 12, '~'), std::string(252, 'x') + "~12");
}

TEST(SafeNameTest, ReplacesWhatMustNotReachATerminal) {
  EXPECT_EQ(safe_name("a\x7F"
                      "b\xC2\x9B"
                      "c\xE2\x80\xAE"
                      "d\xE2\x81\xA6"
                      "e\xD8\x9C"
                      "f/g"),
            "a_b_c_d_e_f_g");
}

TEST(FileTreeTest, LimitsDepthAndKeepsLongTitlesApart) {
  std::string deep;
  for (int i = 0; i < 50; ++i) deep += "d/";
  const auto layer = [](const std::string& title) {
    return oci::Descriptor{.media_type = "x/y",
                           .digest = digest_of(as_bytes(title)),
                           .size = 1,
                           .artifact_type = "",
                           .annotations = {{std::string(oci::annotation::kTitle), title}},
                           .platform = {},
                           .urls = {}};
  };
  const FileTree tree = make_file_tree(
      {layer(deep + "x"), layer(std::string(300, 'a')), layer(std::string(301, 'a'))});
  const FileTree* folder = &tree;
  std::size_t depth = 0;
  while (folder != nullptr && folder->entries.contains("d")) {
    folder = folder->entries.at("d").folder.get();
    ++depth;
  }
  EXPECT_EQ(depth, kTitleDepth - 1);
  ASSERT_NE(folder, nullptr);
  EXPECT_EQ(folder->entries.begin()->first.substr(0, 4), "d_d_");
  EXPECT_TRUE(tree.entries.contains(std::string(255, 'a')));
  EXPECT_TRUE(tree.entries.contains(std::string(253, 'a') + "~2"));
  EXPECT_EQ(find_file(tree, "d/nothing"), nullptr);
  EXPECT_EQ(find_file(tree, ""), nullptr);
}

TEST(LruTest, DropsTheLeastRecentlyUsedByCountAndCost) {
  Lru<int> lru(3, 100);
  lru.put("a", 1);
  lru.put("b", 2);
  lru.put("c", 3);
  ASSERT_NE(lru.get("a"), nullptr);
  lru.put("d", 4);
  EXPECT_EQ(lru.get("b"), nullptr);
  EXPECT_EQ(*lru.get("a"), 1);
  lru.put("e", 5, 99);
  EXPECT_EQ(lru.size(), 2U) << "99 and 1";
  lru.put("f", 6, 1000);
  EXPECT_EQ(*lru.get("f"), 6) << "the newest stays, whatever it costs";
  EXPECT_EQ(lru.size(), 1U);
  lru.put("f", 7, 1);
  EXPECT_EQ(*lru.get("f"), 7);
}

TEST(PermitsTest, WhoWaitsForAnAnswerGoesFirst) {
  Permits permits(1);
  auto held = std::make_unique<Permits::Held>(*permits.acquire(false, {}));
  EXPECT_THAT(permits.acquire(true, Context().with_timeout(std::chrono::milliseconds(1))),
              HasCode(Errc::timeout));
  std::vector<std::string> order;
  Mutex mutex;
  const auto wait = [&](bool ahead, const char* name) {
    const auto turn = permits.acquire(ahead, {});
    const MutexLock lock(mutex);
    order.emplace_back(name);
  };
  std::thread ahead(wait, true, "ahead");
  std::thread asker(wait, false, "asker");
  // Both must be waiting before the turn comes free; who works ahead may come late, which is as
  // good.
  while (permits.waiting() == 0) std::this_thread::yield();
  held.reset();
  ahead.join();
  asker.join();
  EXPECT_THAT(order, ElementsAre("asker", "ahead"));
}

TEST(NameListTest, GivesTheFirstPartsBelowAFolder) {
  const NameList list{{"a", "a-b", "a/b", "a/b/c", "a/d", "ab"}};
  EXPECT_THAT(list.children(""), ElementsAre("a", "a-b", "ab"));
  EXPECT_THAT(list.children("a"), ElementsAre("b", "d"));
  EXPECT_THAT(list.children("a/b"), ElementsAre("c"));
  EXPECT_TRUE(list.has_below("a"));
  EXPECT_FALSE(list.has_below("ab"));
  EXPECT_FALSE(list.has_below("a/b/c"));
}

}  // namespace
}  // namespace berth::tree
