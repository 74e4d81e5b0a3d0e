// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/router.hpp"

#include "support/fake_clock.hpp"
#include "support/jwt.hpp"
#include "unit/credential/keychain_fixture.hpp"

namespace berth::credential {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() { options.config.store = "file"; }

  Router router() {
    options.environment = home.environment();
    options.clock = &clock;
    return Router(options);
  }
  /// Entra ID gives this one from now on.
  void identity_gives(const std::string& value, seconds life) {
    options.fetch_token = [=, this](const std::string&,
                                    const Context& context) -> Result<std::optional<RefreshToken>> {
      ++fetched;
      given_time = context.remaining(hours(1));
      return std::optional(RefreshToken{
          .value = Secret(value), .issued = clock.now(), .expires = clock.now() + life});
    };
  }
  void identity_fails() {
    options.fetch_token = [this](const std::string&,
                                 const Context& context) -> Result<std::optional<RefreshToken>> {
      ++fetched;
      given_time = context.remaining(hours(1));
      return Error(Errc::unavailable, "the authority is away");
    };
  }
  std::string jwt(seconds age, seconds left, const std::string& subject = "kim") const {
    const auto now = std::chrono::system_clock::to_time_t(clock.now());
    return test::unsigned_jwt(
        {{"iat", now - age.count()}, {"exp", now + left.count()}, {"sub", subject}});
  }
  void log_in(const std::string& user, const std::string& secret) {
    const Credential credential = user == "<token>"
                                      ? Credential{.identity_token = Secret(secret)}
                                      : Credential{.username = user, .password = Secret(secret)};
    EXPECT_THAT(router().put(key, credential, Context()), test::IsOk());
  }
  /// The secret, "" for none.
  std::string get() {
    const auto found = router().get(key, Context().with_timeout(minutes(30)));
    EXPECT_THAT(found, test::IsOk());
    if (!found || !*found) return {};
    return (*found)->identity_token.empty() ? (*found)->password.reveal()
                                            : (*found)->identity_token.reveal();
  }

  Home home;
  test::FakeClock clock;
  RouterOptions options;
  ServerKey key = *parse_server_key("my.azurecr.io");
  int fetched = 0;
  std::chrono::nanoseconds given_time{0};
};

TEST_F(RouterTest, S302_WhatAzAcrLoginLeftBehindCountsAsAbsentWhenItHasEnded) {
  for (const char* user : {"00000000-0000-0000-0000-000000000000", "<token>"}) {
    identity_gives("from Entra ID", hours(3));
    log_in(user, jwt(hours(4), -hours(1)));
    EXPECT_EQ(get(), "from Entra ID") << user;
    router().erase(key, Context()).value();
    log_in(user, jwt(hours(4), -hours(1)));
    options.fetch_token = {};
    EXPECT_EQ(get(), "") << user;
  }
}

TEST_F(RouterTest, S302_ItIsRenewedAtHalfItsLifeAndServesWhileThatFails) {
  identity_gives("from Entra ID", hours(3));
  const std::string young = jwt(hours(1), hours(2));
  log_in("00000000-0000-0000-0000-000000000000", young);
  EXPECT_EQ(get(), young);
  EXPECT_EQ(fetched, 0);
  const std::string old = jwt(hours(2), hours(1));
  log_in("<token>", old);
  identity_fails();
  EXPECT_EQ(get(), old);
  clock.advance(minutes(1));
  const std::string newer = jwt(seconds(0), hours(3));
  identity_gives(newer, hours(3));
  EXPECT_EQ(get(), newer);
}

TEST_F(RouterTest, S302_AnotherAccountTakesItsPlaceAtItsEndAlone) {
  const std::string old = jwt(hours(2), hours(1));
  log_in("<token>", old);
  const std::string robins = jwt(seconds(0), hours(6), "robin");
  identity_gives(robins, hours(6));
  EXPECT_EQ(get(), old);
  EXPECT_EQ(get(), old);
  clock.advance(hours(2));
  EXPECT_EQ(get(), robins);
}

TEST_F(RouterTest, S302_APasswordAndATokenThatSaysNoEndAreLeftAlone) {
  identity_gives("from Entra ID", hours(3));
  for (const std::string& secret : {std::string("opaque"), test::unsigned_jwt({{"sub", "x"}})}) {
    log_in("00000000-0000-0000-0000-000000000000", secret);
    EXPECT_EQ(get(), secret);
  }
  // A user of that registry, whose password happens to look like a token.
  const std::string lookalike = jwt(hours(4), -hours(1));
  log_in("alice", lookalike);
  EXPECT_EQ(get(), lookalike);
  EXPECT_EQ(fetched, 0);
}

TEST_F(RouterTest, S303_WhoHasATokenWaitsFiveSecondsForANewerOneAndThenNotForHalfAMinute) {
  identity_gives("old", hours(3));
  EXPECT_EQ(get(), "old");
  EXPECT_GT(given_time, minutes(20));
  clock.advance(hours(2));
  identity_fails();
  EXPECT_EQ(get(), "old");
  EXPECT_LE(given_time, seconds(5));
  EXPECT_EQ(fetched, 2);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(get(), "old");
  EXPECT_EQ(fetched, 2);
  clock.advance(seconds(31));
  EXPECT_EQ(get(), "old");
  EXPECT_EQ(fetched, 3);
  clock.advance(seconds(31));
  identity_gives("new", hours(3));
  EXPECT_EQ(get(), "new");
}

TEST_F(RouterTest, S303_ATokenInItsLastMinuteIsWorthTheFullWait) {
  identity_gives("old", hours(3));
  EXPECT_EQ(get(), "old");
  clock.advance(hours(3) - seconds(30));
  identity_fails();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(get(), "old");
  EXPECT_EQ(fetched, 3);
  EXPECT_GT(given_time, minutes(20));
}

TEST_F(RouterTest, S303_AProcessThatIsStoppedWhileItRenewsHoldsUpNobodyWhoHasAToken) {
  identity_gives("old", hours(3));
  EXPECT_EQ(get(), "old");
  clock.advance(hours(2));
  const auto files = TokenFiles::open(*tokens_folder(home.environment()));
  const auto held = files->lock("my.azurecr.io", identity_of(home.environment()), Context());
  ASSERT_THAT(held, test::IsOk());
  EXPECT_EQ(get(), "old");
  EXPECT_EQ(fetched, 1);
  // Who has none waits for it, as long as he may.
  clock.advance(hours(2));
  const auto found = router().get(key, Context().with_timeout(std::chrono::milliseconds(20)));
  EXPECT_THAT(found, test::HasCode(Errc::timeout));
}

TEST_F(RouterTest, AFailedRenewalIsForgottenWithTheToken) {
  identity_gives("old", hours(3));
  EXPECT_EQ(get(), "old");
  clock.advance(hours(2));
  identity_fails();
  EXPECT_EQ(get(), "old");
  EXPECT_THAT(*router().erase(key, Context()), ::testing::Contains(HasSubstr("/run/berth")));
  identity_gives("new", hours(3));
  EXPECT_EQ(get(), "new");
}

}  // namespace
}  // namespace berth::credential
