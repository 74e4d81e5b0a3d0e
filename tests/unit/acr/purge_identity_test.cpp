// SPDX-License-Identifier: Apache-2.0
// Tokens and rights of a purge.
#include <atomic>

#include "unit/acr/purge_fixture.hpp"
#include "unit/auth/fixed_credential.hpp"

namespace berth::test {
namespace {

using namespace std::chrono_literals;
using acr::Timestamp;

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

}  // namespace
}  // namespace berth::test
