// SPDX-License-Identifier: Apache-2.0
#include "berth/base/sync.hpp"

#include <thread>

#include <gtest/gtest.h>

#include "berth/base/clock.hpp"

#include "support/fake_clock.hpp"
#include "support/matchers.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using test::FakeClock;
using test::HasCode;
using test::IsOk;
using SteadyClock = std::chrono::steady_clock;

/// A flag to wait for, as the code that uses CondVar writes it.
class Flag {
 public:
  void set() {
    const MutexLock lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  Result<void> wait(const Context& context) {
    const MutexLock lock(mutex_);
    while (!set_) {
      if (Result<void> checked = context.check(); !checked) return checked;
      changed_.wait(mutex_, context);
    }
    return {};
  }
  void wait_for_once(std::chrono::nanoseconds time, const Context& context) {
    const MutexLock lock(mutex_);
    changed_.wait_for(mutex_, time, context);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool set_ BERTH_GUARDED_BY(mutex_) = false;
};

TEST(CondVarTest, ANotificationWakes) {
  Flag flag;
  std::jthread setter([&] { flag.set(); });
  EXPECT_THAT(flag.wait(Context().with_timeout(1min)), IsOk());
}

TEST(CondVarTest, ADeadlineWakes) {
  Flag flag;
  EXPECT_THAT(flag.wait(Context().with_timeout(5ms)), HasCode(Errc::timeout));
}

TEST(CondVarTest, ATimeWakesWithoutADeadline) {
  Flag flag;
  flag.wait_for_once(1ms, Context());
  flag.wait_for_once(-1h, Context());
}

TEST(CondVarTest, AStopWakesAWaitWithoutADeadline) {
  Flag flag;
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  EXPECT_THAT(flag.wait(Context().with_stop(source.get_token())), HasCode(Errc::cancelled));
}

TEST(CondVarTest, AStopFromBeforeDoesNotDeadlock) {
  Flag flag;
  std::stop_source source;
  source.request_stop();
  // Straight into the wait, without the check that comes before it in a loop.
  flag.wait_for_once(1h, Context().with_stop(source.get_token()));
}

TEST(CondVarTest, NoStopIsLostAtWhateverInstantItComes) {
  for (int round = 0; round < 500; ++round) {
    Flag flag;
    std::stop_source source;
    std::jthread waiter([&, token = source.get_token()] {
      EXPECT_THAT(flag.wait(Context().with_timeout(1min).with_stop(token)),
                  HasCode(Errc::cancelled));
    });
    if (round % 2 == 0) std::this_thread::yield();
    source.request_stop();
  }
}

TEST(CondVarTest, AStopWhileNotifyingDoesNotDeadlock) {
  for (int round = 0; round < 200; ++round) {
    Flag flag;
    std::stop_source source;
    std::jthread setter([&] { flag.set(); });
    std::jthread stopper([&] { source.request_stop(); });
    const Result<void> ended =
        flag.wait(Context().with_timeout(1min).with_stop(source.get_token()));
    EXPECT_TRUE(ended || ended.error().code() == Errc::cancelled);
  }
}

TEST(CondVarTest, OneStopWakesEveryWaiterOfOneMutex) {
  Flag flag;
  std::stop_source source;
  std::vector<std::jthread> waiters;
  for (int i = 0; i < 8; ++i) {
    waiters.emplace_back([&, token = source.get_token()] {
      EXPECT_THAT(flag.wait(Context().with_stop(token)), HasCode(Errc::cancelled));
    });
  }
  source.request_stop();
}

TEST(RealClockTest, SleepsAtLeastAsLongAsAsked) {
  const auto start = SteadyClock::now();
  EXPECT_THAT(real_clock().sleep(3ms, Context()), IsOk());
  EXPECT_GE(SteadyClock::now() - start, 3ms);
  EXPECT_THAT(real_clock().sleep(-1h, Context()), IsOk());
}

TEST(RealClockTest, AStopAndADeadlineEndASleep) {
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  EXPECT_THAT(real_clock().sleep(1h, Context().with_stop(source.get_token())),
              HasCode(Errc::cancelled));
  EXPECT_THAT(real_clock().sleep(1h, Context().with_timeout(1ms)), HasCode(Errc::timeout));
  EXPECT_THAT(real_clock().sleep(1h, Context().nonblocking()), HasCode(Errc::would_block));
}

TEST(FakeClockTest, MovesByTestAndBySleepAlone) {
  FakeClock clock;
  const auto now = clock.now();
  const auto ticks = clock.ticks();
  EXPECT_EQ(clock.now(), now);
  EXPECT_THAT(clock.sleep(2h, Context()), IsOk());
  clock.advance(1h);
  EXPECT_EQ(clock.now() - now, 3h);
  EXPECT_EQ(clock.ticks() - ticks, 3h);
  EXPECT_THAT(clock.sleeps(), testing::ElementsAre(2h));
}

TEST(FakeClockTest, SettingTheWallClockLeavesTheOther) {
  FakeClock clock;
  const auto ticks = clock.ticks();
  clock.set_now(clock.now() - 24h);
  EXPECT_EQ(clock.ticks(), ticks);
}

TEST(FakeClockTest, AnEndedContextDoesNotSleep) {
  FakeClock clock;
  EXPECT_THAT(clock.sleep(1h, Context().with_timeout(-1s)), HasCode(Errc::timeout));
  EXPECT_THAT(clock.sleeps(), testing::IsEmpty());
}

}  // namespace
}  // namespace berth
