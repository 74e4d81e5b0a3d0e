// SPDX-License-Identifier: Apache-2.0
#include "berth/cache/remembered.hpp"

#include <fstream>
#include <future>

#include "cache/remembered_lines.hpp"
#include "unit/cache/cache_fixture.hpp"

namespace berth::cache::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RememberedTest : public CacheTest {
 protected:
  static RememberedTag tag_of(const std::string& text) {
    return {.digest = digest_of(as_bytes(text)),
            .size = text.size(),
            .media_type = "application/vnd.oci.image.manifest.v1+json",
            .etag = "\"e 1\"",
            .first_seen = {},
            .checked = {}};
  }
};

TEST_F(RememberedTest, AListSurvivesTheProcess) {
  {
    const auto cache = open();
    cache->remembered().set_list("h:5000", "library/a", {"v1", "latest", "a b%\n"});
    EXPECT_THAT(cache->remembered().list("h:5000", "library/a")->names,
                ElementsAre("v1", "latest", "a b%\n"));
  }
  const auto cache = open();
  const auto list = cache->remembered().list("h:5000", "library/a");
  ASSERT_TRUE(list.has_value());
  EXPECT_THAT(list->names, ElementsAre("v1", "latest", "a b%\n"));
  EXPECT_EQ(list->fetched, clock_.now());
  EXPECT_FALSE(cache->remembered().list("h:5000", "library/b").has_value());
}

TEST_F(RememberedTest, FirstSeenStaysWhileTheDigestDoes) {
  const auto cache = open();
  Remembered& remembered = cache->remembered();
  const auto first = remembered.set_tag("r", "a", "v1", tag_of("one"));
  clock_.pass(std::chrono::seconds(10));
  const auto again = remembered.set_tag("r", "a", "v1", tag_of("one"));
  EXPECT_EQ(again.first_seen, first.first_seen);
  EXPECT_EQ(again.checked, first.checked + std::chrono::seconds(10));
  const auto moved = remembered.set_tag("r", "a", "v1", tag_of("two"));
  EXPECT_EQ(moved.first_seen, clock_.now());
  const auto found = remembered.tag("r", "a", "v1");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->digest, tag_of("two").digest);
  EXPECT_EQ(found->etag, "\"e 1\"");
  EXPECT_EQ(found->size, 3U);
}

TEST_F(RememberedTest, PropertiesSurviveTheProcess) {
  RememberedTag tag = tag_of("one");
  tag.properties = RememberedProperties{
      16'000'000'000'000'001, 17'000'000'000'000'002, true, false, std::nullopt, true};
  {
    const auto cache = open();
    cache->remembered().set_tags("r", "a", {{"v1", tag}, {"v 2", tag_of("two")}});
  }
  const auto cache = open();
  Remembered& remembered = cache->remembered();
  EXPECT_EQ(remembered.tag("r", "a", "v1")->properties, tag.properties);
  EXPECT_EQ(remembered.tag("r", "a", "v1")->checked, clock_.now());
  EXPECT_FALSE(remembered.tag("r", "a", "v 2")->properties.has_value());
  // A later answer without them says nothing of them, while the tag leads where it led.
  EXPECT_EQ(remembered.set_tag("r", "a", "v1", tag_of("one")).properties, tag.properties);
  EXPECT_FALSE(remembered.set_tag("r", "a", "v1", tag_of("two")).properties.has_value());
}

TEST_F(RememberedTest, AListDoesNotForgetTheSizeThatAHeadTold) {
  const auto cache = open();
  Remembered& remembered = cache->remembered();
  remembered.set_tag("r", "a", "v1", tag_of("one"));
  RememberedTag listed = tag_of("one");
  listed.size = 0;
  listed.media_type = "";
  remembered.set_tags("r", "a", {{"v1", listed}});
  EXPECT_EQ(remembered.tag("r", "a", "v1")->size, 3U);
  EXPECT_EQ(remembered.tag("r", "a", "v1")->media_type, tag_of("one").media_type);
}

TEST_F(RememberedTest, AForgottenTagIsGone) {
  const auto cache = open();
  cache->remembered().set_tag("r", "a", "v1", tag_of("one"));
  cache->remembered().forget_tag("r", "a", "v1");
  EXPECT_FALSE(cache->remembered().tag("r", "a", "v1").has_value());
  EXPECT_FALSE(open()->remembered().tag("r", "a", "v1").has_value());
}

TEST_F(RememberedTest, WhatWasDeletedIsForgottenByEveryProcess) {
  const Digest one = digest_of(as_bytes("one"));
  const Digest two = digest_of(as_bytes("two"));
  {
    const auto cache = open();
    Remembered& remembered = cache->remembered();
    remembered.set_tag("r", "a", "v1", tag_of("one"));
    remembered.set_seen("r", "a", one, 3, "");
    remembered.set_seen("r", "a", two, 3, "");
    remembered.forget_seen("r", "a", one);
    EXPECT_FALSE(remembered.seen("r", "a", one).has_value());
    EXPECT_TRUE(remembered.seen("r", "a", two).has_value());
  }
  const auto cache = open();
  EXPECT_FALSE(cache->remembered().seen("r", "a", one).has_value());
  cache->remembered().set_seen("r", "b", two, 3, "");
  cache->remembered().forget_repository("r", "a");
  EXPECT_FALSE(cache->remembered().seen("r", "a", two).has_value());
  EXPECT_FALSE(cache->remembered().tag("r", "a", "v1").has_value());
  EXPECT_TRUE(cache->remembered().seen("r", "b", two).has_value());
}

TEST_F(RememberedTest, TwoThousandTagsAreSetAndReadCheaply) {
  const auto cache = open();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 2000; ++i) {
    cache->remembered().set_tag("r", "a", "v" + std::to_string(i), tag_of("x"));
  }
  const auto other = open();
  EXPECT_THAT(other->remembered().tags("r", "a"), SizeIs(2000));
  // A hundred times what it takes, and far from what a file for each tag would.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(RememberedTest, OverruledLinesAreCompacted) {
  const auto cache = open();
  for (int i = 0; i < 1000; ++i) cache->remembered().set_tag("r", "a", "v1", tag_of("x"));
  EXPECT_LT(std::filesystem::file_size(folder() / "remembered" / "r" / "a.records"), 40'000U);
  EXPECT_TRUE(cache->remembered().tag("r", "a", "v1").has_value());
}

TEST_F(RememberedTest, ProcessesSeeEachOthersLines) {
  const auto one = open();
  const auto two = open();
  one->remembered().set_tag("r", "a", "v1", tag_of("one"));
  EXPECT_TRUE(two->remembered().tag("r", "a", "v1").has_value());
  two->remembered().set_tag("r", "a", "v1", tag_of("two"));
  EXPECT_EQ(one->remembered().tag("r", "a", "v1")->digest, tag_of("two").digest);
  one->remembered().set_list("r", "a", {"x"});
  EXPECT_THAT(two->remembered().list("r", "a")->names, ElementsAre("x"));
  two->remembered().set_list("r", "a", {"y", "z"});
  EXPECT_THAT(one->remembered().list("r", "a")->names, ElementsAre("y", "z"));
}

TEST_F(RememberedTest, BrokenLinesAreSkipped) {
  {
    const auto cache = open();
    cache->remembered().set_tag("r", "a", "v1", tag_of("one"));
  }
  std::ofstream(folder() / "remembered" / "r" / "a.records", std::ios::app)
      << "T v2 sha256:zz 1 x y 0 0\nrubbish\n\nT half";
  const auto cache = open();
  EXPECT_THAT(cache->remembered().tags("r", "a"), SizeIs(1));
  cache->remembered().set_tag("r", "a", "v3", tag_of("three"));
  cache->remembered().set_tag("r", "a", "v4", tag_of("four"));
  EXPECT_TRUE(open()->remembered().tag("r", "a", "v4").has_value());
  std::ofstream(folder() / "remembered" / "r" / "a.list") << "rubbish\n";
  EXPECT_FALSE(cache->remembered().list("r", "a").has_value());
}

TEST_F(RememberedTest, SeenDigestsAreOfOneRepository) {
  const auto cache = open();
  const Digest digest = digest_of(as_bytes("layer"));
  cache->remembered().set_seen("r", "a", digest, 5, "");
  cache->remembered().set_seen("r", "a", digest, 5, "text/plain");
  const auto seen = open()->remembered().seen("r", "a", digest);
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->size, 5U);
  EXPECT_EQ(seen->media_type, "text/plain");
  EXPECT_FALSE(cache->remembered().seen("r", "b", digest).has_value());
  EXPECT_FALSE(cache->remembered().seen("other", "a", digest).has_value());
}

TEST_F(RememberedTest, NamesWhatIsKnownOffline) {
  const auto cache = open();
  Remembered& remembered = cache->remembered();
  remembered.set_list("h:5000", "", {"a", "a/b"});
  remembered.set_list("h:5000", "a/b", {"v1"});
  remembered.set_seen("h:5000", "a", digest_of(as_bytes("x")), 1, "");
  remembered.set_list("oci:/some/where", "", {"x"});
  EXPECT_THAT(remembered.registries(), ElementsAre("h:5000", "oci:/some/where"));
  EXPECT_THAT(remembered.repositories("h:5000"), ElementsAre("a", "a/b"));
  EXPECT_THAT(remembered.repositories("nowhere"), IsEmpty());
}

TEST_F(RememberedTest, IsReadWhileAnotherThreadMakesRoomForWhatItWrites) {  // S431
  const auto cache = open(4 * kMiB);
  Remembered& remembered = cache->remembered();
  const Digest seen = digest_of(as_bytes("seen"));
  remembered.set_tag("r", "a", "v1", tag_of("zero"));
  remembered.set_seen("r", "a", seen, 4, "text/plain");
  // Full: whatever is written next must evict.
  std::optional<Digest> newest;
  const Digest oldest = digest_of(as_bytes(content(40'000, 0)));
  for (unsigned i = 0; i == 0 || cache->contains(oldest); ++i) {
    const std::string bytes = content(40'000, i);
    newest = digest_of(as_bytes(bytes));
    ASSERT_THAT(cache->put(*newest, as_bytes(bytes)), IsOk());
    clock_.pass(std::chrono::seconds(1));
  }
  Stall evictor("evict.locked");
  std::atomic<bool> over = false;
  auto writer = std::async(std::launch::async, [&] {
    for (int i = 0; !over; ++i) remembered.set_tag("r", std::to_string(i), "v1", tag_of("x"));
  });
  evictor.wait_until_there();
  over = true;
  auto one =
      std::async(std::launch::async, [&] { remembered.set_tag("r", "a", "v1", tag_of("one")); });
  auto reader = std::async(std::launch::async, [&] {
    EXPECT_TRUE(remembered.tag("r", "a", "v1").has_value());
    EXPECT_TRUE(remembered.seen("r", "a", seen).has_value());
    EXPECT_THAT(remembered.tags("r", "a"), SizeIs(1));
    EXPECT_EQ(remembered.trusted_since("r", "a"), Clock::SystemTime::min());
    EXPECT_FALSE(remembered.list("r", "a").has_value());
    remembered.set_seen("r", "a", seen, 4, "text/plain");  // nothing new
    const auto found = cache->find(*newest, Context{}.nonblocking());
    EXPECT_TRUE(found && *found);
  });
  EXPECT_EQ(reader.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(one.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout)
      << "a writer waits for its turn";
  evictor.release();
  writer.get();
  one.get();
  EXPECT_EQ(remembered.tag("r", "a", "v1")->digest, tag_of("one").digest);
}

TEST(RememberedLinesTest, FileNamesStayBelowTheirFolderAndLeadBack) {
  for (const std::string name :
       {"", ".", "..", "../../etc/passwd", "a/b", "a+b", "h:5000", ".hidden", "a%2Fb", "ü\n"}) {
    const auto file = file_name_of(name, ".list");
    ASSERT_TRUE(file.has_value()) << name;
    EXPECT_EQ(file->find('/'), std::string::npos) << name;
    EXPECT_NE(file->front(), '.') << name;
    EXPECT_EQ(name_of_file(*file, ".list"), name);
  }
  EXPECT_FALSE(file_name_of(std::string(256, 'a'), ".list").has_value());
}

TEST_F(RememberedTest, WhatIsDistrustedIsKeptAndSaidToBeOld) {
  {
    const auto cache = open();
    EXPECT_EQ(cache->remembered().trusted_since("h", "a"), Clock::SystemTime::min());
    cache->remembered().set_tag("h", "a", "v1", tag_of("one"));
    cache->remembered().distrust("h", "a");
    // Enough of others for a compaction: it keeps the word.
    for (int i = 0; i < 200; ++i) cache->remembered().set_tag("h", "a", "v2", tag_of("two"));
  }
  const auto cache = open();
  EXPECT_EQ(cache->remembered().trusted_since("h", "a"), clock_.now());
  EXPECT_TRUE(cache->remembered().tag("h", "a", "v1").has_value());
  EXPECT_EQ(cache->remembered().trusted_since("h", "b"), Clock::SystemTime::min());
}

}  // namespace
}  // namespace berth::cache::test
