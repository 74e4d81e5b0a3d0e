// SPDX-License-Identifier: Apache-2.0
#include "fuse/pool.hpp"

#include <gtest/gtest.h>

#include "unit/fuse/fake_view.hpp"

namespace berth::fuse {
namespace {

constexpr auto kLimit = std::chrono::seconds(10);

/// Counts what ran, and waits for it.
class Tally {
 public:
  void add() {
    MutexLock lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  bool await(int count) {
    const Context limit = Context{}.with_timeout(kLimit);
    MutexLock lock(mutex_);
    while (count_ < count && limit.check()) changed_.wait(mutex_, limit);
    return count_ >= count;
  }
  int count() {
    MutexLock lock(mutex_);
    return count_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int count_ BERTH_GUARDED_BY(mutex_) = 0;
};

class PoolTest : public ::testing::Test {
 protected:
  void SetUp() override { gate_.shut(); }
  void TearDown() override { gate_.open(); }

  /// A task that waits at the gate.
  Pool::Task waiter() {
    return [this] {
      static_cast<void>(gate_.pass(Context{}.with_timeout(kLimit)));
      done_.add();
    };
  }
  test::CallGate gate_;
  Tally done_;
};

TEST_F(PoolTest, RunsAtMostItsThreadsAtOnceAndEverythingInTheEnd) {
  {
    Pool pool({.name = "t", .max_threads = 3, .max_per_key = 9});
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(pool.submit(1, nullptr, waiter()));
    ASSERT_TRUE(gate_.await_waiting(3));
    EXPECT_EQ(pool.load().running, 3u);
    EXPECT_EQ(pool.load().waiting, 7u);
    gate_.open();
  }
  EXPECT_EQ(done_.count(), 10);
}

TEST_F(PoolTest, OneKeyLeavesRoomForOthers) {
  Pool pool({.name = "t", .max_threads = 3, .max_per_key = 2});
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(pool.submit(1, nullptr, waiter()));
  ASSERT_TRUE(gate_.await_waiting(2));
  Tally other;
  ASSERT_TRUE(pool.submit(2, nullptr, [&] { other.add(); }));
  EXPECT_TRUE(other.await(1)) << "stalled reads of one file held up another's";
  gate_.open();
  EXPECT_TRUE(done_.await(8));
}

TEST_F(PoolTest, RefusesWhenTooManyWait) {
  Pool pool({.name = "t", .max_threads = 1, .max_per_key = 1, .max_waiting = 2});
  ASSERT_TRUE(pool.submit(1, nullptr, waiter()));
  ASSERT_TRUE(gate_.await_waiting(1));
  EXPECT_TRUE(pool.submit(1, nullptr, waiter()));
  EXPECT_TRUE(pool.submit(1, nullptr, waiter()));
  EXPECT_FALSE(pool.submit(1, nullptr, waiter()));
  gate_.open();
  EXPECT_TRUE(done_.await(3));
}

TEST_F(PoolTest, WhoGaveUpDoesNotWaitForItsTurn) {
  Pool pool({.name = "t", .max_threads = 1, .max_per_key = 1});
  ASSERT_TRUE(pool.submit(1, nullptr, waiter()));
  ASSERT_TRUE(gate_.await_waiting(1));
  Tally hurried;
  const int id = 0;
  ASSERT_TRUE(pool.submit(1, &id, [&] { hurried.add(); }));
  pool.hurry(&id);
  EXPECT_TRUE(hurried.await(1));
  EXPECT_EQ(done_.count(), 0);
  gate_.open();
}

TEST_F(PoolTest, IdleThreadsEndAndWorkAfterwardsIsDone) {
  gate_.open();
  Pool pool(
      {.name = "t", .max_threads = 4, .max_per_key = 4, .idle = std::chrono::milliseconds(1)});
  for (int round = 1; round <= 20; ++round) {
    ASSERT_TRUE(pool.submit(1, nullptr, waiter()));
    ASSERT_TRUE(done_.await(round));
  }
  const auto end = std::chrono::steady_clock::now() + kLimit;
  while (pool.load().threads > 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  EXPECT_EQ(pool.load().threads, 0u);
  ASSERT_TRUE(pool.submit(1, nullptr, waiter()));
  EXPECT_TRUE(done_.await(21));
}

}  // namespace
}  // namespace berth::fuse
