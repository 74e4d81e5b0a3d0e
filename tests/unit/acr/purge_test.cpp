// SPDX-License-Identifier: Apache-2.0
#include "berth/acr/purge.hpp"

#include <atomic>

#include "unit/acr/acr_fixture.hpp"
#include "unit/auth/fixed_credential.hpp"

namespace berth::test {
namespace {

using namespace std::chrono_literals;
using acr::PurgeOptions;
using acr::PurgeSkipped;
using acr::Timestamp;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

/// app holds tags a1 (the oldest) to a4, one image each; the fake clock stands at 2026.
class PurgeTest : public AcrTest {
 protected:
  PurgeTest() {
    for (int i = 1; i <= 4; ++i) {
      const std::string tag = "a" + std::to_string(i);
      images_.push_back(fake_.add_image("app", tag, {tag}));
      age(tag, 50 - i * 10);
      age(images_.back().digest, 50 - i * 10);
    }
    fake_.server().clear_log();
  }
  /// It was last updated so many days ago.
  void age(const std::string& reference, int days) {
    const auto at = Timestamp::from(clock_.now()).since_1970() - Timestamp::Ticks(24h) * days;
    fake_.set_times("app", reference, at.count(), at.count());
  }
  Result<acr::Purge> purge(PurgeOptions options) {
    return acr::Purge::create(client(), std::move(options));
  }
  Result<acr::PurgePlan> plan(PurgeOptions options) {
    auto made = purge(std::move(options));
    if (!made) return std::move(made).error();
    return made->plan(context_);
  }
  acr::PurgeResult run(const PurgeOptions& options) {
    const auto made = purge(options);
    return made->execute(made->plan(context_).value(), context_);
  }
  static std::vector<std::string> tags(const Result<acr::PurgePlan>& plan) {
    std::vector<std::string> out;
    for (const auto& tag : plan.value().tags) out.push_back(tag.name);
    return out;
  }
  static std::vector<std::string> manifests(const Result<acr::PurgePlan>& plan) {
    std::vector<std::string> out;
    for (const auto& manifest : plan.value().manifests) out.push_back(manifest.digest.text());
    return out;
  }
  PurgeOptions old(const char* filter = "app:.*") {
    PurgeOptions options;
    options.filters = {filter};
    options.ago = 1h;
    return options;
  }
  PurgeOptions untagged() {
    PurgeOptions options;
    options.ago = 1h;
    options.untagged = PurgeOptions::Untagged::only;
    options.filters = {"app:.*"};
    return options;
  }
  std::vector<FakeImage> images_;
};

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

TEST_F(PurgeTest, ThrottlingEndsIt) {
  const auto made = purge(old());
  const auto planned = made->plan(context_).value();
  fake_.fault({.method = "DELETE", .times = 0}, fault::too_many_requests("3600"));
  const auto result = made->execute(planned, context_);
  ASSERT_TRUE(result.stopped_by.has_value());
  EXPECT_EQ(result.stopped_by->code(), Errc::rate_limited);
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

TEST_F(PurgeTest, ARepositoryIsAskedOnceForItsLockAndItsCounts) {
  auto options = old();
  options.untagged = PurgeOptions::Untagged::also;
  EXPECT_THAT(plan(options), IsOk());
  EXPECT_EQ(fake_.server().count("GET", "/acr/v1/app?api-version*"), 1);
  EXPECT_EQ(fake_.server().count("GET", "/acr/v1/app/_tags*"), 1);
  EXPECT_EQ(fake_.server().count("GET", "/acr/v1/app/_manifests*"), 1);
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

TEST_F(PurgeTest, OneTokenForAllThatIsDoneInARepository) {
  change([](auto& behaviour) { behaviour.auth = RegistryBehaviour::Auth::bearer; });
  auto with = options();
  with.credential = alice();
  auto options = old("app:[12]");
  options.untagged = PurgeOptions::Untagged::also;
  const auto made = acr::Purge::create(client(with), options);
  const auto planned = made->plan(context_);
  ASSERT_THAT(planned, IsOk());
  EXPECT_EQ(made->execute(*planned, context_).manifests_deleted, 2U);
  EXPECT_EQ(fake_.server().count("", "/oauth2/token*"), 1);
  EXPECT_EQ(fake_.server().count("GET", "*_catalog*"), 0);
}

TEST_F(PurgeTest, TokensAreRenewedOnTheWay) {
  change([](auto& behaviour) { behaviour.auth = RegistryBehaviour::Auth::bearer; });
  auto with = options();
  with.credential = alice();
  const auto made = acr::Purge::create(client(with), old());
  const auto planned = made->plan(context_);
  ASSERT_THAT(planned, IsOk());
  change([](auto& behaviour) { behaviour.refuse_cached_tokens = true; });
  const auto result = made->execute(*planned, context_);
  EXPECT_EQ(result.tags_deleted, 4U);
  EXPECT_FALSE(result.stopped_by.has_value());
}

/// Counts what the registry refuses for want of a login.
class RefusalCounter final : public http::Transport {
 public:
  RefusalCounter(http::Transport& next, std::atomic<int>& refusals)
      : next_(next),
        refusals_(refusals) {}
  Result<http::Response> send(const http::Request& request, const Context& context) override {
    auto answer = next_.send(request, context);
    if (answer && answer->status == 401) ++refusals_;
    return answer;
  }

 private:
  http::Transport& next_;
  std::atomic<int>& refusals_;
};

/// A purge as an identity of Entra ID, at a registry whose clock is the test's.
class IdentityPurgeTest : public PurgeTest {
 protected:
  IdentityPurgeTest() {
    change([this](auto& behaviour) {
      behaviour.auth = RegistryBehaviour::Auth::bearer;
      behaviour.abac = true;
      behaviour.entra_tokens = {"entra"};
      behaviour.token_seconds = 75 * 60;
      behaviour.unix_time = [this] {
        return std::int64_t{std::chrono::system_clock::to_time_t(clock_.now())};
      };
    });
  }
  acr::ContainerRegistryClient as_identity() {
    auto with = options();
    with.token_credential = auth::FixedCredential::of("entra");
    with.additional_policies.emplace_back([this](http::Transport& next) {
      return std::make_unique<RefusalCounter>(next, refusals_);
    });
    return client(with);
  }
  std::atomic<int> refusals_ = 0;
};

// S366
TEST_F(IdentityPurgeTest, SixHoursMeetNo401) {
  for (int i = 0; i < 40; ++i) {
    const std::string tag = "b" + std::to_string(i);
    fake_.tag("app", tag, images_[0].digest);
    age(tag, 60);
  }
  auto options = old();
  options.concurrency = 1;
  options.untagged = PurgeOptions::Untagged::also;
  options.on_deleted = [this](const std::string&) { clock_.advance(10min); };
  const auto start = clock_.now();
  const auto made = acr::Purge::create(as_identity(), options);
  const auto planned = made->plan(context_);
  ASSERT_THAT(planned, IsOk());
  ASSERT_EQ(refusals_, 1) << "the first, by which the registry says how it asks";
  const auto result = made->execute(*planned, context_);
  EXPECT_EQ(result.tags_deleted, 44U);
  EXPECT_EQ(result.manifests_deleted, 4U);
  EXPECT_THAT(result.skipped, IsEmpty());
  EXPECT_GT(clock_.now() - start, 6h);
  const int exchanges = fake_.server().count("POST", "/oauth2/exchange*");
  const int tokens = fake_.server().count("POST", "/oauth2/token*");
  EXPECT_GE(exchanges, 3) << "each refresh token is good for 3 h 15 min";
  EXPECT_GE(tokens, 6) << "each access token lives 75 minutes";
  EXPECT_EQ(refusals_, 1);
}

// S365
TEST_F(IdentityPurgeTest, ARepositoryWithoutTheRightIsSkippedAndTheOthersArePurged) {
  fake_.add_image("closed", "c1", {"c1"});
  const auto at = Timestamp::from(clock_.now()).since_1970() - Timestamp::Ticks(24h) * 50;
  fake_.set_times("closed", "c1", at.count(), at.count());
  change([](auto& behaviour) { behaviour.entra_denials["closed"] = {"delete"}; });
  auto options = old();
  options.filters = {"closed:.*", "app:.*"};
  const auto made = acr::Purge::create(as_identity(), options);
  const auto planned = made->plan(context_);
  ASSERT_THAT(planned, IsOk());
  const auto result = made->execute(*planned, context_);
  EXPECT_EQ(result.tags_deleted, 4U);
  EXPECT_FALSE(result.stopped_by.has_value());
  ASSERT_EQ(result.skipped.size(), 1U);
  ASSERT_TRUE(result.skipped[0].error.has_value());
  EXPECT_EQ(result.skipped[0].error->code(), Errc::denied);
  EXPECT_THAT(result.skipped[0].error->message(),
              AllOf(HasSubstr("does not give it repository:closed:delete"),
                    HasSubstr("gives rights by repository (ABAC)")));
}

// S365
TEST_F(IdentityPurgeTest, OfARepositoryThatMayNotBeLookedIntoNothingIsPlanned) {
  fake_.add_image("closed", "c1", {"c1"});
  const auto at = Timestamp::from(clock_.now()).since_1970() - Timestamp::Ticks(24h) * 50;
  fake_.set_times("closed", "c1", at.count(), at.count());
  fake_.add_index("closed", "c2", {fake_.add_image("closed", {}, {"c2"}).digest});
  // With one its tags may be listed and an index not be read: no tag of it goes either.
  for (const char* action : {"metadata_read", "pull"}) {
    change([&](auto& behaviour) { behaviour.entra_denials["closed"] = {action}; });
    auto options = old();
    options.filters = {"closed:c1", "app:.*"};
    options.untagged = PurgeOptions::Untagged::also;
    const auto planned = acr::Purge::create(as_identity(), options)->plan(context_);
    ASSERT_THAT(planned, IsOk()) << action;
    EXPECT_THAT(tags(planned), ElementsAre("a4", "a3", "a2", "a1")) << action;
    ASSERT_EQ(planned->skipped.size(), 1U) << action;
    EXPECT_EQ(planned->skipped[0].reference, fake_.host() + "/closed");
    EXPECT_EQ(planned->skipped[0].error->code(), Errc::denied);
  }
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

TEST(AgoTest, DaysAndADurationOfGo) {
  using acr::parse_ago;
  EXPECT_THAT(parse_ago("2d3h6m"), IsOkAndHolds(Timestamp::Ticks(51h + 6min)));
  EXPECT_THAT(parse_ago("0d"), IsOkAndHolds(Timestamp::Ticks(0)));
  EXPECT_THAT(parse_ago("0"), IsOkAndHolds(Timestamp::Ticks(0)));
  EXPECT_THAT(parse_ago("1.5h"), IsOkAndHolds(Timestamp::Ticks(90min)));
  EXPECT_THAT(parse_ago("1m30s"), IsOkAndHolds(Timestamp::Ticks(90s)));
  EXPECT_THAT(parse_ago("250ms"), IsOkAndHolds(Timestamp::Ticks(250ms)));
  for (const char* text : {"", "d", "-1d", "1", "3h2d", "2x", "h", "1.5d", "1d 2h", "1..5h"}) {
    EXPECT_THAT(parse_ago(text), HasCode(Errc::invalid_argument)) << text;
  }
}

// S442
TEST(AgoTest, NothingIsOlderThan150Years) {
  using acr::parse_ago;
  EXPECT_THAT(parse_ago("54749d"), IsOkAndHolds(acr::kMostAgo - Timestamp::Ticks(24h)));
  for (const std::string& text :
       {std::string("54750d"), std::string("54751d1h"), std::string("99999999999999999999999d"),
        std::string("99999999999999999999h"), std::string(400, '9') + "d"}) {
    EXPECT_THAT(parse_ago(text), IsOkAndHolds(acr::kMostAgo)) << text;
  }
}

}  // namespace
}  // namespace berth::test
