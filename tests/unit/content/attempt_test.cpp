// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include <gmock/gmock.h>

#include "content/notifier.hpp"
#include "unit/content/store_fixture.hpp"

namespace berth::test {
namespace {

/// What a reader may believe when a registry lies.
class AttemptTest : public StoreFixture {
 protected:
  struct Dropped {
    Mutex mutex;
    CondVar changed;
    std::vector<Digest> digests BERTH_GUARDED_BY(mutex);
  };

  void SetUp() override {
    open({.on_dropped = [this](const Digest& digest) {
      MutexLock lock(dropped_.mutex);
      dropped_.digests.push_back(digest);
      dropped_.changed.notify_all();
    }});
  }

  // The store's notifier still calls what SetUp gave it: it ends before dropped_ does.
  void TearDown() override { store_.reset(); }

  std::size_t wait_for_dropped(std::size_t count) {
    const Context limit = soon();
    MutexLock lock(dropped_.mutex);
    while (dropped_.digests.size() < count && limit.check()) {
      dropped_.changed.wait(dropped_.mutex, limit);
    }
    return dropped_.digests.size();
  }

  Dropped dropped_;
};

TEST_F(AttemptTest, AReaderThatGotWrongBytesFailsForEver) {
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.wrong_byte = 5, .stall_at = 8 * kMiB, .gate = gate});
  const auto bound = reader(digest, bytes.size());
  auto wrong = read(*bound, 0, 10);
  ASSERT_THAT(wrong, IsOk());
  EXPECT_NE(*wrong, bytes.substr(0, 10));
  gate->open();
  EXPECT_THAT(read(*bound, 9 * kMiB - 10, 10), HasCode(Errc::digest_mismatch));
  EXPECT_THAT(read(*bound, 0, 10), HasCode(Errc::digest_mismatch));
  EXPECT_FALSE(bound->file_range(0, 10).has_value());

  const auto fresh = reader(digest, bytes.size());
  EXPECT_THAT(read_all(*fresh), IsOkAndHolds(bytes));
  EXPECT_THAT(read(*bound, 0, 10), HasCode(Errc::digest_mismatch));
  EXPECT_EQ(wait_for_dropped(1), 1U);
}

TEST_F(AttemptTest, AReaderWithoutBytesMovesToTheNextAttempt) {
  const std::string bytes = sample_bytes(2 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->script({.wrong_byte = 5});
  const auto one = reader(digest, bytes.size());
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
  EXPECT_EQ(source_->gets().size(), 2U);
  EXPECT_EQ(store_->counters().digest_mismatches, 1U);
}

TEST_F(AttemptTest, ARegistryThatKeepsLyingIsNamed) {
  const std::string bytes = sample_bytes(2 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->always({.wrong_byte = 5});
  const auto one = reader(digest, bytes.size());
  auto got = read(*one, 0, 10);
  ASSERT_THAT(got, HasCode(Errc::digest_mismatch));
  EXPECT_THAT(got.error().message(), ::testing::HasSubstr("registry.test:5000/a"));
  EXPECT_EQ(source_->gets().size(), 2U);
  EXPECT_FALSE(cache_->contains(digest));
}

TEST_F(AttemptTest, ATotalOfAnotherSizeIsAMismatch) {
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->always({.total = bytes.size() + 1});
  const auto one = reader(digest, bytes.size());
  EXPECT_THAT(read(*one, 0, 10), HasCode(Errc::digest_mismatch));
}

TEST_F(AttemptTest, AnEmptyBodyOfAShortBlobIsNoSuccess) {
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->always({.cut_at = 0});
  const auto one = reader(digest, bytes.size());
  EXPECT_THAT(read(*one, 0, 10), HasCode(Errc::unavailable));
}

TEST_F(AttemptTest, WaitingReadsAreAnsweredBeforeTheDropIsTold) {
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.wrong_byte = 5, .stall_at = 8 * kMiB, .gate = gate});
  std::vector<std::jthread> threads;
  std::atomic<int> begun = 0;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto own = reader(digest, bytes.size());
      EXPECT_THAT(read(*own, 0, 10), IsOk());
      ++begun;
      if (!read(*own, 9 * kMiB - 10, 10)) ++failed;
    });
  }
  const Context limit = soon();
  while (begun < 4 && limit.check()) std::this_thread::yield();
  gate->open();
  threads.clear();
  EXPECT_EQ(failed, 4);
  EXPECT_EQ(wait_for_dropped(1), 1U);
}

TEST_F(AttemptTest, TheNewsOfADropWaitsForEachReadInProgress) {
  const auto reads = std::make_shared<content::ReadCount>();
  std::atomic<bool> answered = false;
  std::atomic<bool> told = false;
  content::Notifier notifier([&](const Digest&) {
    EXPECT_TRUE(answered) << "told before the read was answered";
    told = true;
  });
  auto guard = std::make_unique<content::ReadGuard>(*reads);
  notifier.post(digest_of(as_bytes("x")), reads);
  std::this_thread::yield();
  answered = true;
  guard.reset();
  const Context limit = soon();
  while (!told && limit.check()) std::this_thread::yield();
  EXPECT_TRUE(told);
}

TEST_F(AttemptTest, TwoSizesOfOneDigestAreNotReadAtOnce) {
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.stall_at = kMiB, .gate = gate});
  const auto one = reader(digest, bytes.size());
  ASSERT_THAT(read(*one, 0, 10), IsOk());
  EXPECT_THAT(store_->open_blob(source_, "a", digest, bytes.size() + 1, soon()),
              HasCode(Errc::conflict));
  gate->open();
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
}

}  // namespace
}  // namespace berth::test
