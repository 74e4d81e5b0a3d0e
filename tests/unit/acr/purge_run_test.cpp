// SPDX-License-Identifier: Apache-2.0
// What goes, and what is left of a plan.

#include "unit/acr/purge_fixture.hpp"

namespace berth::test {
namespace {

TEST_F(PurgeTest, DeletesTagsAndLeavesTheirManifests) {
  std::vector<std::string> told;
  auto options = old("app:[12]");
  options.on_deleted = [&](const std::string& reference) { told.push_back(reference); };
  const auto result = run(options);
  EXPECT_EQ(result.tags_deleted, 2U);
  EXPECT_EQ(result.manifests_deleted, 0U);
  EXPECT_THAT(result.skipped, IsEmpty());
  EXPECT_THAT(told, UnorderedElementsAre(fake_.host() + "/app:a1", fake_.host() + "/app:a2"));
  EXPECT_EQ(fake_.tag_target("app", "a1"), std::nullopt);
  EXPECT_TRUE(fake_.has_manifest("app", images_[0].digest));
}

TEST_F(PurgeTest, DeletesWhatIsLeftWithoutATag) {
  auto options = old("app:[12]");
  options.untagged = PurgeOptions::Untagged::also;
  fake_.tag("app", "stays", images_[1].digest);
  age("stays", 0);
  const auto planned = plan(options);
  EXPECT_THAT(manifests(planned), ElementsAre(images_[0].digest));
  EXPECT_THAT(planned->manifests[0].tags, ElementsAre("a1"));
  EXPECT_GT(planned->manifests[0].size_in_bytes, 0U);
  const auto result = run(options);
  EXPECT_EQ(result.tags_deleted, 2U);
  EXPECT_EQ(result.manifests_deleted, 1U);
  EXPECT_FALSE(fake_.has_manifest("app", images_[0].digest));
  EXPECT_TRUE(fake_.has_manifest("app", images_[1].digest));
}

TEST_F(PurgeTest, DeletesAnIndexBeforeWhatItNames) {
  const std::string inner = fake_.add_index("app", {}, {images_[0].digest});
  const std::string outer = fake_.add_index("app", {}, {inner});
  for (const auto& digest : {inner, outer}) age(digest, 99);
  fake_.untag("app", "a1");
  auto options = untagged();
  std::vector<std::string> order;
  options.on_deleted = [&](const std::string& reference) {
    order.push_back(reference.substr(reference.find('@') + 1));
  };
  EXPECT_EQ(run(options).manifests_deleted, 3U);
  EXPECT_THAT(order, ElementsAre(outer, inner, images_[0].digest));
}

TEST_F(PurgeTest, WhatAnIndexNamesStaysWhenTheIndexCouldNotBeDeleted) {
  const std::string index = fake_.add_index("app", {}, {images_[0].digest});
  age(index, 99);
  fake_.untag("app", "a1");
  fake_.fault({.method = "DELETE", .target = "*" + encoded(index)}, fault::error(403, "DENIED"));
  const auto result = run(untagged());
  EXPECT_EQ(result.manifests_deleted, 0U);
  ASSERT_EQ(result.skipped.size(), 2U);
  EXPECT_EQ(result.skipped[0].reason, PurgeSkipped::Reason::failed);
  EXPECT_EQ(result.skipped[0].error->code(), Errc::denied);
  EXPECT_EQ(result.skipped[1].reason, PurgeSkipped::Reason::needed);
  EXPECT_TRUE(fake_.has_manifest("app", images_[0].digest));
}

TEST_F(PurgeTest, AManifestStaysWhenItsTagCouldNotBeDeleted) {
  auto options = old("app:1");
  options.untagged = PurgeOptions::Untagged::also;
  fake_.fault({.method = "DELETE", .target = "*_tags*"}, fault::error(403, "DENIED"));
  const auto result = run(options);
  EXPECT_EQ(result.tags_deleted + result.manifests_deleted, 0U);
  EXPECT_EQ(result.skipped.size(), 2U);
  EXPECT_TRUE(fake_.has_manifest("app", images_[0].digest));
}

TEST_F(PurgeTest, LockedOnesStayUnlessToldOtherwise) {
  fake_.lock("app", "a1");
  fake_.lock("app", "a2", true, false);
  EXPECT_THAT(tags(plan(old())), ElementsAre("a4", "a3"));
  auto options = old();
  options.include_locked = true;
  EXPECT_THAT(tags(plan(options)), ElementsAre("a4", "a3", "a2", "a1"));
  EXPECT_EQ(run(options).tags_deleted, 4U);
  EXPECT_EQ(fake_.server().count("PATCH", "*"), 2);
}

TEST_F(PurgeTest, ThrottlingEndsIt) {
  const auto made = purge(old());
  const auto planned = made->plan(context_).value();
  fake_.fault({.method = "DELETE", .times = 0}, fault::too_many_requests("3600"));
  const auto result = made->execute(planned, context_);
  ASSERT_TRUE(result.stopped_by.has_value());
  EXPECT_EQ(result.stopped_by->code(), Errc::rate_limited);
}

TEST_F(PurgeTest, ALockThatCameMeanwhileIsNoFailure) {
  const auto made = purge(old("app:1"));
  const auto planned = made->plan(context_).value();
  fake_.lock("app", "a1");
  const auto result = made->execute(planned, context_);
  ASSERT_EQ(result.skipped.size(), 1U);
  EXPECT_EQ(result.skipped[0].reason, PurgeSkipped::Reason::locked);
}

TEST_F(PurgeTest, WhatMovedOrWasTaggedSinceThePlanStays) {
  fake_.untag("app", "a2");
  auto options = old("app:1");
  options.untagged = PurgeOptions::Untagged::also;
  const auto made = purge(options);
  const auto planned = made->plan(context_).value();
  ASSERT_EQ(planned.manifests.size(), 2U);
  fake_.tag("app", "a1", images_[3].digest);
  fake_.tag("app", "rescued", images_[1].digest);
  const auto result = made->execute(planned, context_);
  EXPECT_EQ(result.tags_deleted + result.manifests_deleted, 0U);
  EXPECT_EQ(result.skipped.size(), 3U);
  EXPECT_EQ(fake_.tag_target("app", "a1"), images_[3].digest);
  EXPECT_TRUE(fake_.has_manifest("app", images_[1].digest));
}

TEST_F(PurgeTest, WhatHasGoneMeanwhileCountsAsDeleted) {
  const auto made = purge(old("app:[12]"));
  const auto planned = made->plan(context_).value();
  fake_.untag("app", "a1");
  const auto result = made->execute(planned, context_);
  EXPECT_EQ(result.tags_deleted, 2U);
  EXPECT_THAT(result.skipped, IsEmpty());
}

TEST_F(PurgeTest, WithoutLookingAgainATagIsOneRequest) {
  auto options = old("app:1");
  options.look_again = false;
  const auto made = purge(options);
  const auto planned = made->plan(context_).value();
  requests();
  EXPECT_EQ(made->execute(planned, context_).tags_deleted, 1U);
  EXPECT_THAT(requests(), ElementsAre("DELETE /acr/v1/app/_tags/a1?api-version=2021-07-01"));
}

TEST_F(PurgeTest, WhoLacksTheRightStopsAtTheFirstRefusal) {
  const auto made = purge(old());
  const auto planned = made->plan(context_).value();
  change([](auto& behaviour) { behaviour.auth = RegistryBehaviour::Auth::bearer; });
  const auto result = made->execute(planned, context_);
  EXPECT_EQ(result.tags_deleted, 0U);
  ASSERT_TRUE(result.stopped_by.has_value());
  EXPECT_EQ(result.stopped_by->code(), Errc::unauthenticated);
}

TEST_F(PurgeTest, StopsWhenTheContextEnds) {
  const auto made = purge(old());
  const auto planned = made->plan(context_).value();
  std::stop_source stop;
  stop.request_stop();
  const auto result = made->execute(planned, context_.with_stop(stop.get_token()));
  EXPECT_EQ(result.tags_deleted, 0U);
  ASSERT_TRUE(result.stopped_by.has_value());
  EXPECT_EQ(result.stopped_by->code(), Errc::cancelled);
}

}  // namespace
}  // namespace berth::test
