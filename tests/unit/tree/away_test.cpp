// SPDX-License-Identifier: Apache-2.0
// docs/semantics.md, "When the registry is away" and ".berth".
#include "berth/json/value.hpp"

#include "unit/tree/tree_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const Error kAway(Errc::unavailable, "cannot connect to r.example: connection refused");

TEST_F(SemanticsTest, S80_WhatWasSeenIsServedWhileTheRegistryIsAwayAndSaidSo) {
  const Digest digest = registry().push_image("n/a", "v1", {{"", "layer"}});
  names("r.example/n/a");
  read("r.example/n/a/v1/layers/00.tar.gz");
  registry().away = kAway;
  world.clock.advance(std::chrono::hours(2));
  for (int process = 0; process < 2; ++process) {
    EXPECT_THAT(names("r.example"), ElementsAre("n/"));
    EXPECT_THAT(names("r.example/n/a"), ElementsAre("v1@"));
    EXPECT_EQ(target("r.example/n/a/v1"), ".manifests/sha256/" + hex(digest));
    EXPECT_EQ(read("r.example/n/a/v1/layers/00.tar.gz"), "layer");
    EXPECT_THAT(read_control("offline"),
                HasSubstr("r.example has not answered since 2023-11-15T00:13:20Z"));
    EXPECT_THAT(read_control("offline"), HasSubstr("connection refused"));
    EXPECT_THAT(read_control("offline"),
                HasSubstr("tag r.example/n/a:v1 as of 2023-11-14T22:13:20Z"));
    EXPECT_THAT(read_control("offline"),
                HasSubstr("tags of r.example/n/a as of 2023-11-14T22:13:20Z"));
    restart();
  }
}

TEST_F(SemanticsTest, S80_WhatNobodyKnowsTheAgeOfGetsNone) {
  registry().push_image("n/a", "v1", {});
  see("r.example/n/a:v1");  // a repository is seen, and no list
  registry().away = kAway;
  world.clock.advance(std::chrono::hours(2));
  EXPECT_THAT(names("r.example"), ElementsAre("n/"));
  EXPECT_THAT(read_control("offline"), HasSubstr("  repositories of unknown age\n"));
}

TEST_F(SemanticsTest, S81_ARefusalIsNotMasked) {
  registry().push_image("a", "v1", {});
  names("r.example/a");
  see("r.example/a/v1");
  for (const Errc code : {Errc::denied, Errc::unauthenticated, Errc::untrusted}) {
    registry().away = Error(code, "no");
    world.clock.advance(std::chrono::hours(1));
    EXPECT_EQ(error("r.example/a/v1"), code);
    EXPECT_THAT(names("r.example/a"), ElementsAre("error: " + std::string(to_string(code))));
  }
}

TEST_F(SemanticsTest, S82_WhoIsAwayIsNotAskedAgainForFiveSecondsWhileSomethingIsKnown) {
  registry().push_image("a", "v1", {});
  registry().push_image("a", "v2", {});
  names("r.example/a");
  see("r.example/a/v1");
  see("r.example/a/v2");
  registry().away = kAway;
  world.clock.advance(std::chrono::hours(1));
  see("r.example/a/v1");
  const std::size_t before = registry().requests();
  see("r.example/a/v2");
  names("r.example/a");
  EXPECT_EQ(registry().requests(), before);
  registry().away.reset();
  registry().push_image("a", "v1", {{"", "new"}});
  world.clock.advance(std::chrono::seconds(6));
  EXPECT_NE(target("r.example/a/v1"), target("r.example/a/v2"));
}

TEST_F(SemanticsTest, S83_WhatWasNeverSeenIsAnErrorWhileTheRegistryIsAway) {
  registry().push_image("a", "v1", {});
  registry().push_image("b", "v1", {});
  names("r.example/a");
  registry().away = kAway;
  world.clock.advance(std::chrono::hours(1));
  EXPECT_EQ(error("r.example/a/v1"), Errc::unavailable) << "listed, but never resolved";
  EXPECT_EQ(error("r.example/a/v9"), Errc::unavailable) << "a list that is old proves no absence";
  EXPECT_THAT(names("r.example/b"), ElementsAre("error: unavailable"));
  EXPECT_EQ(error("r.example/b/v1"), Errc::unavailable);
  registry().away.reset();
  EXPECT_THAT(find("r.example/b/v1"), IsOk()) << "and is asked for again at once";
}

TEST_F(SemanticsTest, S84_OfflineNobodyIsAsked) {
  registry().push_image("a", "v1", {{"", "layer"}});
  names("r.example/a");
  read("r.example/a/v1/layers/00.tar.gz");
  const std::size_t before = registry().requests();
  world.offline = true;
  world.clock.advance(std::chrono::hours(1));
  restart();
  EXPECT_THAT(names("r.example/a"), ElementsAre("v1@"));
  EXPECT_EQ(read("r.example/a/v1/layers/00.tar.gz"), "layer");
  EXPECT_EQ(error("r.example/a/v2"), Errc::unavailable);
  EXPECT_EQ(registry().requests(), before);
}

TEST_F(SemanticsTest, S84_OfflineEachTagSaysSoByItself) {
  for (const char* tag : {"v1", "v2", "v3"}) registry().push_image("a", tag, {});
  names("r.example/a");
  world.offline = true;
  restart();
  EXPECT_THAT(names("r.example/a"), ElementsAre("v1@", "v2@", "v3@"));
  for (const char* tag : {"v1", "v2", "v3"}) {
    const auto found = find(std::string("r.example/a/") + tag);
    ASSERT_THAT(found, HasCode(Errc::unavailable));
    EXPECT_EQ(found.error().message(), "r.example is not asked: berth was told to work offline");
  }
}

TEST_F(SemanticsTest, S409_WhatIsBrokenHereIsNoWordOfTheRegistrys) {
  registry().push_image("n/a", "v1", {});
  const Error broken = Error(Errc::unauthenticated, "auth.json is not valid JSON").local();
  registry().away = broken;
  EXPECT_THAT(names("r.example/n/a"), ElementsAre("error: unauthenticated"));
  registry().away.reset();
  EXPECT_THAT(names("r.example/n/a"), ElementsAre("v1@")) << "it was mended: at once";

  registry().refusals.emplace("catalogue", Error(Errc::denied, "no catalogue for you"));
  tree().refresh();
  EXPECT_THAT(names("r.example/n"), ElementsAre("a/"));
  tree().refresh();
  registry().away = broken;
  EXPECT_THAT(names("r.example/n"), ElementsAre("error: unauthenticated"))
      << "it tells no namespace from a repository";
}

TEST_F(SemanticsTest, S85_WhenItAnswersAgainNothingIsStale) {
  registry().push_image("a", "v1", {});
  see("r.example/a/v1");
  registry().away = kAway;
  world.clock.advance(std::chrono::hours(1));
  see("r.example/a/v1");
  ASSERT_THAT(read_control("offline"), HasSubstr("a:v1"));
  registry().away.reset();
  tree().refresh();
  see("r.example/a/v1");
  EXPECT_THAT(read_control("offline"), Not(HasSubstr("a:v1")));
  EXPECT_THAT(read_control("offline"), HasSubstr("Nothing that was served is older"));
}

TEST_F(SemanticsTest, S121_ANamespaceIsListedFromMemoryWhileTheRegistryIsAway) {
  registry().push_image("n/a", "v1", {});
  registry().push_image("n/m/b", "v1", {});
  EXPECT_THAT(names("r.example/n"), ElementsAre("a/", "m/"));
  world.clock.advance(std::chrono::hours(1));
  registry().away = kAway;
  restart();
  EXPECT_THAT(names("r.example/n"), ElementsAre("a/", "m/"));
  EXPECT_EQ(registry().count("tags"), 0U) << "a namespace is asked for no tags, away or not";
  EXPECT_THAT(names("r.example/n/m"), ElementsAre("b/"));
  EXPECT_THAT(names("r.example/n/a"), ElementsAre("error: unavailable"))
      << "a repository whose tags were never seen is no namespace";
  registry().away.reset();
  world.offline = true;
  restart();
  EXPECT_THAT(names("r.example/n"), ElementsAre("a/", "m/"));
}

TEST_F(SemanticsTest, S121_AlsoWhereTheRegistryListsNoRepositories) {
  registry().can.list_repositories = false;
  registry().push_image("n/a", "v1", {});
  EXPECT_THAT(names("r.example/n/a"), ElementsAre("v1@"));
  world.clock.advance(std::chrono::hours(1));
  registry().away = kAway;
  restart();
  EXPECT_THAT(names("r.example/n"), ElementsAre("a/"));
  EXPECT_THAT(names("r.example/m"), ElementsAre("error: unavailable"));
}

TEST_F(SemanticsTest, S122_ARegistryThatNeverAnswersCostsOneDeadline) {
  using std::chrono::milliseconds;
  registry().push_image("a", "v1", {});
  registry().push_image("a", "v2", {});
  see("r.example/a/v1");  // before the listing, so that nothing is resolved ahead
  names("r.example/a");
  world.clock.advance(std::chrono::hours(1));
  registry().silent = true;
  const std::size_t before = registry().requests();
  // Each call of the kernel comes with a deadline of its own.
  const auto call = [] { return Context{}.with_timeout(milliseconds(50)); };
  EXPECT_THAT(find("r.example/a", false, call()), IsOk());
  const auto folder = find("r.example/a", false, call());
  ASSERT_THAT(tree().list(folder->node, call()), IsOk());
  EXPECT_THAT(find("r.example/a/v1", false, call()), IsOk());
  EXPECT_EQ(error("r.example/a/v2", call()), Errc::timeout) << "listed, but never resolved";
  EXPECT_EQ(registry().requests(), before + 1) << "the catalogue; all else while it rests";
  EXPECT_THAT(read_control("offline"), HasSubstr("r.example has not answered since"));
  EXPECT_THAT(read_control("offline"), Not(HasSubstr("answers again")));
  EXPECT_THAT(read_control("offline"), HasSubstr("r.example does not answer"));

  registry().silent = false;
  world.clock.advance(std::chrono::seconds(6));
  EXPECT_THAT(find("r.example/a/v2", false, call()), IsOk());
}

TEST_F(SemanticsTest, S122_TheRestEndsHoweverManyAskMeanwhile) {
  registry().push_image("a", "v1", {});
  registry().silent = true;
  const auto call = [] { return Context{}.with_timeout(std::chrono::milliseconds(20)); };
  EXPECT_EQ(error("r.example/a", call()), Errc::timeout);
  registry().silent = false;
  for (int second = 0; second < 4; ++second) {
    world.clock.advance(std::chrono::seconds(1));
    EXPECT_EQ(error("r.example/a", call()), Errc::timeout);
  }
  world.clock.advance(std::chrono::seconds(2));
  EXPECT_THAT(find("r.example/a", false, call()), IsOk());
}

TEST_F(SemanticsTest, S90_ControlFilesTellAboutTheMount) {
  registry().push_image("a", "v1", {});
  options.version = "1.2.3";
  EXPECT_THAT(names(".berth"), ElementsAre("log", "metrics", "offline", "stats.json", "version"));
  EXPECT_EQ(read(".berth/version"), "1.2.3\n");
  EXPECT_EQ(find(".berth/version")->attributes.size, 6U);
  for (const char* name : {"log", "stats.json"}) {
    EXPECT_TRUE(find(std::string(".berth/") + name)->attributes.owner_only) << name;
  }
  for (const char* name : {"log", "stats.json", "metrics", "offline"}) {
    EXPECT_TRUE(find(std::string(".berth/") + name)->attributes.direct_io) << name;
  }
  EXPECT_FALSE(find(".berth/metrics")->attributes.owner_only);
  EXPECT_EQ(error("r.example/a/.berth"), Errc::not_found) << "at the root only";
  EXPECT_EQ(error(".berth/other"), Errc::not_found);
}

TEST_F(SemanticsTest, S91_StatsAndMetricsCount) {
  registry().push_image("a", "v1", {});
  see("r.example/a/v1");
  const std::string text = read_control("stats.json");
  const auto stats = json::Document::parse(text);
  ASSERT_THAT(stats, IsOk());
  EXPECT_EQ(*stats->root().find("http_requests_total")->as_unsigned(), 7U);
  EXPECT_GE(*stats->root().find("tree_lookups_total")->as_unsigned(), 3U);
  EXPECT_EQ(*stats->root().find("tree_questions_total")->as_unsigned(), registry().requests());
  const std::string metrics = read_control("metrics");
  EXPECT_THAT(metrics,
              HasSubstr("# TYPE berth_http_requests_total counter\nberth_http_requests_total 7\n"));
  EXPECT_THAT(metrics,
              HasSubstr("# TYPE berth_cache_used_bytes gauge\nberth_cache_used_bytes 8\n"));
}

TEST_F(SemanticsTest, S92_TheLogShowsTheLastLinesOfTheProcess) {
  tree::LogRing::process().add("a line of this test");
  EXPECT_THAT(read_control("log"), HasSubstr("a line of this test\n"));
}

TEST(LogRingTest, KeepsTheNewestLinesWithinItsSize) {
  tree::LogRing ring(100);
  for (int i = 0; i < 50; ++i) ring.add("line " + std::to_string(i));
  EXPECT_LE(ring.text().size(), 100U);
  EXPECT_THAT(ring.text(), ::testing::EndsWith("line 48\nline 49\n"));
  ring.add(std::string(1000, 'x'));
  EXPECT_LE(ring.text().size(), 100U);
  EXPECT_THAT(ring.text(), HasSubstr("line 49\n"));
}

}  // namespace
}  // namespace berth::test
