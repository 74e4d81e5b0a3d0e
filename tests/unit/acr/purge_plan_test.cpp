// SPDX-License-Identifier: Apache-2.0
// What would go.

#include "berth/oci/media_type.hpp"

#include "unit/acr/purge_fixture.hpp"

namespace berth::test {
namespace {

using namespace std::chrono_literals;

TEST_F(PurgeTest, APlanChangesNothing) {
  const auto planned = plan(old());
  ASSERT_THAT(planned, IsOk());
  EXPECT_THAT(tags(planned), ElementsAre("a4", "a3", "a2", "a1"));
  EXPECT_EQ(planned->tags[3].digest.text(), images_[0].digest);
  EXPECT_THAT(planned->manifests, IsEmpty());
  EXPECT_EQ(fake_.server().count("DELETE", "*") + fake_.server().count("PATCH", "*"), 0);
}

TEST_F(PurgeTest, TheRepositoryMatchesAsAWholeAndTheTagInPart) {
  EXPECT_THAT(tags(plan(old("app:3"))), ElementsAre("a3"));
  EXPECT_THAT(tags(plan(old("ap.?x?:.*"))), ElementsAre("a4", "a3", "a2", "a1"));
  EXPECT_THAT(tags(plan(old("p.:.*"))), IsEmpty());
  EXPECT_THAT(tags(plan(old("x|app:^a(?!3|4)"))), ElementsAre("a2", "a1"));
  EXPECT_THAT(tags(plan(old("(?:lib|app):[[:digit:]]$"))), ElementsAre("a4", "a3", "a2", "a1"));
  auto both = old("app:1");
  both.filters.emplace_back("app:2");
  EXPECT_THAT(tags(plan(both)), ElementsAre("a2", "a1"));
}

TEST_F(PurgeTest, ANameIsAskedForAndAPatternIsLookedUp) {
  EXPECT_THAT(plan(old("nope:.*")), HasCode(Errc::not_found));
  EXPECT_THAT(tags(plan(old("nop.:.*"))), IsEmpty());
  EXPECT_THAT(tags(plan(old("ap[p]:1"))), ElementsAre("a1"));
  auto everywhere = untagged();
  everywhere.filters.clear();
  fake_.server().clear_log();
  EXPECT_THAT(plan(everywhere), IsOk());
  EXPECT_EQ(fake_.server().count("GET", "/acr/v1/_catalog?n=100&api-version=2021-07-01"), 1);
}

TEST_F(PurgeTest, OnlyWhatIsOldEnough) {
  auto options = old();
  options.ago = acr::parse_ago("25d").value();
  EXPECT_THAT(tags(plan(options)), ElementsAre("a2", "a1"));
}

TEST_F(PurgeTest, KeepsTheNewestOfThoseThatWouldGo) {
  auto options = old();
  options.ago = acr::parse_ago("15d").value();
  options.keep = 1;
  EXPECT_THAT(tags(plan(options)), ElementsAre("a2", "a1"));
}

TEST_F(PurgeTest, UntaggedOnlyTouchesNoTagAndNeedsNoFilter) {
  fake_.untag("app", "a1");
  fake_.untag("app", "a2");
  age(images_[1].digest, 0);  // too young
  auto options = untagged();
  options.filters.clear();
  const auto planned = plan(options);
  ASSERT_THAT(planned, IsOk());
  EXPECT_THAT(planned->tags, IsEmpty());
  EXPECT_THAT(manifests(planned), ElementsAre(images_[0].digest));
}

TEST_F(PurgeTest, KeepsWhatAnIndexThatStaysNames) {
  const std::string inner = fake_.add_index("app", {}, {images_[0].digest});
  const std::string outer = fake_.add_index("app", "index", {inner});
  for (const auto& digest : {inner, outer}) age(digest, 99);
  fake_.untag("app", "a1");
  fake_.untag("app", "a2");
  EXPECT_THAT(manifests(plan(untagged())), ElementsAre(images_[1].digest));
  fake_.untag("app", "index");
  EXPECT_THAT(manifests(plan(untagged())),
              UnorderedElementsAre(images_[0].digest, images_[1].digest, inner, outer));
}

TEST_F(PurgeTest, KeepsReferrersAndUnknownTypes) {
  const auto sbom = fake_.add_artifact("app", {}, "x/sbom", {}, images_[3].digest);
  const std::string strange = fake_.add_manifest("app", R"({"a":1})", "application/vnd.strange");
  for (const auto& digest : {sbom.digest, strange}) age(digest, 99);
  EXPECT_THAT(manifests(plan(untagged())), IsEmpty());
}

TEST_F(PurgeTest, EarlyArtifactsGoUnlessTheyReferToSomething) {
  const auto add = [&](std::string_view type, const std::string& more) {
    const std::string digest = fake_.add_manifest(
        "app", R"({"mediaType":")" + std::string(type) + R"(","blobs":[])" + more + "}",
        std::string(type));
    age(digest, 99);
    return digest;
  };
  std::vector<std::string> alone;
  for (const auto type : {oci::media::kOciArtifact, oci::media::kOrasArtifact}) {
    alone.push_back(add(type, ""));
    add(type, R"(,"subject":{"digest":")" + images_[3].digest + R"("})");
  }
  EXPECT_THAT(manifests(plan(untagged())), testing::UnorderedElementsAreArray(alone));
}

TEST_F(PurgeTest, ALockedRepositoryIsLeftOutBeforeAnyLockIsLifted) {
  fake_.lock("app", "a1");
  fake_.lock("app", "");
  auto options = old();
  options.include_locked = true;
  const auto made = plan(options);
  ASSERT_THAT(made, IsOk());
  EXPECT_TRUE(made->tags.empty());
  ASSERT_EQ(made->skipped.size(), 1U);
  EXPECT_THAT(made->skipped[0].error->message(), HasSubstr("the repository itself is locked"));
  EXPECT_EQ(run(options).tags_deleted, 0U);
  EXPECT_EQ(fake_.server().count("PATCH", "*"), 0);
}

// S444
TEST_F(PurgeTest, OfARepositoryThatIsNotToBeWrittenTheRegistryDecides) {
  fake_.lock("app", "", true, false);
  auto options = old("app:[12]");
  const auto made = plan(options);
  ASSERT_THAT(made, IsOk());
  EXPECT_THAT(tags(made), ElementsAre("a2", "a1"));
  const auto result = run(options);
  EXPECT_EQ(result.tags_deleted, 0U);
  ASSERT_EQ(result.skipped.size(), 2U);
  EXPECT_EQ(result.skipped[0].reason, PurgeSkipped::Reason::locked);
  options.include_locked = true;
  EXPECT_THAT(tags(plan(options)), IsEmpty()) << "no lock is lifted in vain";
}

TEST_F(PurgeTest, ARepositoryThatWentSinceTheListIsNoFailure) {
  fake_.add_image("gone", "v1", {"gone"});
  fake_.fault({.method = "GET", .target = "/acr/v1/gone*", .times = 0},
              fault::error(404, "NAME_UNKNOWN"));
  EXPECT_THAT(tags(plan(old("a.*:1"))), ElementsAre("a1"));
  const auto made = plan(old("[ag].*:1"));
  ASSERT_THAT(made, IsOk());
  EXPECT_THAT(tags(made), ElementsAre("a1"));
  EXPECT_THAT(made->skipped, IsEmpty());
}

TEST_F(PurgeTest, AListThatWasCutEndsThePlan) {
  fake_.untag("app", "a1");
  fake_.fault({.target = "*_manifests*"}, fault::status(200, R"({"manifests":null})"));
  EXPECT_THAT(plan(untagged()), HasCode(Errc::corrupt));
  // Where lists hide content, one may say so.
  fake_.fault({.target = "*_manifests*"}, fault::status(200, R"({"manifests":null})"));
  auto trusting = untagged();
  trusting.verify_counts = false;
  EXPECT_THAT(manifests(plan(trusting)), IsEmpty());
}

TEST_F(PurgeTest, ARepositoryIsAskedOnceForItsLockAndItsCountsAndOnceMoreForItsManifests) {
  auto options = old();
  EXPECT_THAT(plan(options), IsOk());
  EXPECT_EQ(fake_.server().count("GET", "/acr/v1/app?api-version*"), 1);
  fake_.server().clear_log();
  options.untagged = PurgeOptions::Untagged::also;
  EXPECT_THAT(plan(options), IsOk());
  EXPECT_EQ(fake_.server().count("GET", "/acr/v1/app?api-version*"), 2);
  EXPECT_EQ(fake_.server().count("GET", "/acr/v1/app/_tags*"), 1);
  EXPECT_EQ(fake_.server().count("GET", "/acr/v1/app/_manifests*"), 1);
}

TEST_F(PurgeTest, MatchingHasALimitInTime) {
  auto options = old();
  options.filter_timeout = -1ms;
  EXPECT_THAT(plan(options), HasCode(Errc::too_large));
}

TEST_F(PurgeTest, AnIndexThatCannotBeReadEndsThePlan) {
  const std::string index = fake_.add_index("app", "index", {images_[0].digest});
  fake_.untag("app", "a1");
  fake_.fault({.target = "/v2/app/manifests/" + index}, fault::error(404, "MANIFEST_UNKNOWN"));
  const auto planned = plan(untagged());
  ASSERT_THAT(planned, HasCode(Errc::not_found));
  EXPECT_THAT(planned.error().message(), HasSubstr("what " + fake_.host() + "/app@" + index));
}

TEST_F(PurgeTest, AnIndexThatMayNotBeReadLeavesItsRepositoryOut) {
  const std::string index = add_index_that({.can_read = false});
  const auto planned = plan(untagged());
  ASSERT_THAT(planned, IsOk());
  EXPECT_THAT(planned->manifests, IsEmpty());
  ASSERT_EQ(planned->skipped.size(), 1U);
  EXPECT_EQ(planned->skipped[0].error->code(), Errc::denied);
  EXPECT_THAT(planned->skipped[0].error->message(),
              AllOf(HasSubstr("what " + fake_.host() + "/app@" + index + " needs"),
                    HasSubstr("it is locked: can_read is false")));
}

// S441
TEST_F(PurgeTest, WhatAHiddenIndexNeedsStaysUnlessListsAreTrusted) {
  add_index_that({.can_list = false});
  const auto planned = plan(untagged());
  ASSERT_THAT(planned, HasCode(Errc::corrupt));
  EXPECT_THAT(planned.error().message(), HasSubstr("manifests of " + fake_.host() +
                                                   "/app: the registry listed 4 and counts 5"));
  auto trusting = untagged();
  trusting.verify_counts = false;
  EXPECT_THAT(manifests(plan(trusting)), ElementsAre(images_[0].digest));
}

// S417
TEST_F(PurgeTest, APushWhileManifestsAreListedHidesNoHiddenIndex) {
  add_index_that({.can_list = false});
  before_the_manifests([this] { fake_.add_image("app", "pushed", {"pushed"}); });
  const auto planned = plan(untagged());
  ASSERT_THAT(planned, HasCode(Errc::corrupt));
  EXPECT_THAT(planned.error().message(), HasSubstr("the registry listed 5 and counts 6"));
}

// S417
TEST_F(PurgeTest, ADeletionWhileManifestsAreListedIsNoCutList) {
  fake_.untag("app", "a1");
  before_the_manifests([this] { fake_.remove_manifest("app", images_[3].digest); });
  EXPECT_THAT(manifests(plan(untagged())), ElementsAre(images_[0].digest));
  EXPECT_EQ(fake_.server().count("GET", "/acr/v1/app/_manifests*"), 2);
}

// S417
TEST_F(PurgeTest, ARepositoryThatNeverRestsIsGivenUp) {
  std::size_t gone = 0;
  before_the_manifests([&] { fake_.remove_manifest("app", images_.at(gone++).digest); }, true);
  EXPECT_THAT(plan(untagged()), HasCode(Errc::corrupt));
  EXPECT_EQ(fake_.server().count("GET", "/acr/v1/app/_manifests*"), 3);
}

// S441
TEST_F(PurgeTest, OfSeveralNamedRepositoriesTheOthersArePlanned) {
  fake_.add_image("other", "v1", {"other"});
  fake_.fault({.target = "/acr/v1/other/_tags*"}, fault::status(200, R"({"tags":null})"));
  auto both = old("app:1");
  both.filters.emplace_back("other:.*");
  const auto planned = plan(both);
  EXPECT_THAT(tags(planned), ElementsAre("a1"));
  ASSERT_EQ(planned->skipped.size(), 1U);
  EXPECT_EQ(planned->skipped[0].reference, fake_.host() + "/other");
  EXPECT_EQ(planned->skipped[0].error->code(), Errc::corrupt);
  both.filters.back() = "misspelt:.*";
  const auto without = plan(both);
  EXPECT_THAT(tags(without), ElementsAre("a1"));
  ASSERT_EQ(without->skipped.size(), 1U);
  EXPECT_EQ(without->skipped[0].reference, fake_.host() + "/misspelt");
  EXPECT_EQ(without->skipped[0].error->code(), Errc::not_found);
  EXPECT_THAT(plan(old("misspelt:.*")), HasCode(Errc::not_found)) << "nothing else was named";
}

TEST_F(PurgeTest, RefusesOptionsThatMakeNoSense) {
  const auto with = [&](auto change) {
    auto options = old();
    change(options);
    return purge(options);
  };
  EXPECT_THAT(with([](auto& o) { o.filters.clear(); }), HasCode(Errc::invalid_argument));
  EXPECT_THAT(with([](auto& o) { o.concurrency = 0; }), HasCode(Errc::invalid_argument));
  EXPECT_THAT(with([](auto& o) { o.concurrency = 33; }), HasCode(Errc::invalid_argument));
  EXPECT_THAT(with([](auto& o) { o.keep = -1; }), HasCode(Errc::invalid_argument));
  EXPECT_THAT(with([](auto& o) { o.ago = -1h; }), HasCode(Errc::invalid_argument));
  for (const char* filter : {"app", "app:", ":x", "a:b:c", "app:(", "[:x", "app:*"}) {
    EXPECT_THAT(with([&](auto& o) { o.filters = {filter}; }), HasCode(Errc::invalid_argument))
        << filter;
  }
  EXPECT_EQ(fake_.server().requests(), 0);
}

TEST_F(PurgeTest, AnExponentialExpressionIsAnErrorAndNoWait) {
  fake_.tag("app", std::string(60, 'a') + "b", images_[0].digest);
  age(std::string(60, 'a') + "b", 60);
  EXPECT_THAT(plan(old("app:^(a+)+$")), HasCode(Errc::too_large));
}

}  // namespace
}  // namespace berth::test
