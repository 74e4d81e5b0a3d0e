// SPDX-License-Identifier: Apache-2.0
#include "content/scheduler.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "unit/content/store_fixture.hpp"

namespace berth::test {
namespace {

using content::Scheduler;
using content::TransferKind;

/// Jobs that wait at a gate, and say that they began.
class SchedulerTest : public ::testing::Test {
 protected:
  std::function<void()> job(std::string name) {
    return [this, name = std::move(name)] {
      {
        MutexLock lock(mutex_);
        begun_.push_back(name);
        changed_.notify_all();
      }
      (void)gate_.pass(Context());
    };
  }
  std::vector<std::string> wait_for(std::size_t count) {
    const Context limit = Context().with_timeout(std::chrono::seconds(20));
    MutexLock lock(mutex_);
    while (begun_.size() < count && limit.check()) changed_.wait(mutex_, limit);
    return begun_;
  }

  Barrier gate_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> begun_ BERTH_GUARDED_BY(mutex_);
};

TEST_F(SchedulerTest, ALaneTakesItsShareAndNoMore) {
  Scheduler scheduler({.threads = 8, .per_lane = 2});
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(scheduler.submit("a", TransferKind::bulk, job("a")));
  EXPECT_EQ(wait_for(2).size(), 2U);
  EXPECT_TRUE(scheduler.submit("b", TransferKind::bulk, job("b")));
  EXPECT_TRUE(scheduler.submit("a", TransferKind::brief, job("brief")));
  const auto begun = wait_for(4);
  EXPECT_EQ(std::ranges::count(begun, "a"), 2) << "the others of its lane and kind wait";
  EXPECT_EQ(begun.size(), 4U);
  gate_.open();
  EXPECT_EQ(wait_for(6).size(), 6U);
  scheduler.shutdown();
}

TEST_F(SchedulerTest, ABriefJobGoesBeforeTheBulkThatWaits) {
  Scheduler scheduler({.threads = 1, .per_lane = 8});
  EXPECT_TRUE(scheduler.submit("a", TransferKind::bulk, job("first")));
  ASSERT_EQ(wait_for(1).size(), 1U);
  EXPECT_TRUE(scheduler.submit("a", TransferKind::bulk, job("bulk")));
  EXPECT_TRUE(scheduler.submit("a", TransferKind::brief, job("brief")));
  gate_.open();
  EXPECT_EQ(wait_for(3), (std::vector<std::string>{"first", "brief", "bulk"}));
}

TEST_F(SchedulerTest, SaysThatNobodyWillRunAJob) {
  Scheduler scheduler({.threads = 0});
  EXPECT_FALSE(scheduler.submit("a", TransferKind::bulk, job("never")));
  EXPECT_FALSE(scheduler.submit("a", TransferKind::bulk, job("never")));
}

TEST_F(SchedulerTest, ShuttingDownForgetsWhatWaits) {
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  Scheduler scheduler({.threads = 1, .per_lane = 1});
  EXPECT_TRUE(scheduler.submit("a", TransferKind::bulk, job("first")));
  ASSERT_EQ(wait_for(1).size(), 1U);
  EXPECT_TRUE(scheduler.submit(
      "a", TransferKind::bulk, [held = std::move(held)] { ADD_FAILURE(); }, std::chrono::hours(1)));
  gate_.open();
  scheduler.shutdown();
  EXPECT_TRUE(watched.expired());
  EXPECT_TRUE(scheduler.submit("a", TransferKind::bulk, [] { ADD_FAILURE(); }));
}

}  // namespace
}  // namespace berth::test
