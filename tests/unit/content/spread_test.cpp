// SPDX-License-Identifier: Apache-2.0
// A blob over several connections.
#include <gmock/gmock.h>

#include "unit/content/store_fixture.hpp"

namespace berth::test {
namespace {

using content::Spreading;

/// Every connection is too slow.
constexpr Spreading kAlways{.from = 8 * kMiB,
                            .below = UINT64_MAX,
                            .measured = std::chrono::milliseconds(0),
                            .part = 4 * kMiB,
                            .jobs = 3};

class SpreadTest : public StoreFixture {
 protected:
  void open_spreading(Spreading how = kAlways) { open({.spreading = how}); }
};

TEST_F(SpreadTest, PartsAreFetchedBesideASlowStream) {
  open_spreading();
  const std::string bytes = sample_bytes(48 * kMiB + 17);
  const Digest digest = source_->add(bytes);
  // The first connection stands still; the others bring everything that lies ahead.
  const auto gate = std::make_shared<Barrier>();
  source_->script({.stall_at = kMiB, .gate = gate});
  const auto one = reader(digest, bytes.size());
  EXPECT_THAT(read(*one, 0, 1000), IsOkAndHolds(bytes.substr(0, 1000)));
  EXPECT_THAT(read(*one, 16 * kMiB, kMiB), IsOkAndHolds(bytes.substr(16 * kMiB, kMiB)));
  EXPECT_THAT(read(*one, 40 * kMiB, kMiB), IsOkAndHolds(bytes.substr(40 * kMiB, kMiB)));
  gate->open();
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
  // Where the stream meets a part it drops the piece in its hand.
  EXPECT_LT(store_->counters().bytes_fetched, bytes.size() + kMiB) << "no part twice";
  EXPECT_TRUE(reader(digest, bytes.size())->complete());
}

TEST_F(SpreadTest, EveryPartIsAskedForByItsRange) {
  open_spreading();
  const std::string bytes = sample_bytes(33 * kMiB);
  const Digest digest = source_->add(bytes);
  EXPECT_THAT(read_all(*reader(digest, bytes.size())), IsOkAndHolds(bytes));
  std::uint64_t last = 0;
  for (const Asked& one : source_->gets()) {
    if (one.offset == 0) continue;
    EXPECT_EQ(one.offset % (4 * kMiB), 0U);
    last = std::max(last, one.offset);
  }
  EXPECT_GT(last, 0U);
}

TEST_F(SpreadTest, AServerWithoutRangesSendsItInOrderOnce) {
  // On a machine so busy that a chunk stands still for 5 s another one would begin it again.
  cache_clock_ = &stopped_clock_;
  open_spreading();
  const std::string bytes = sample_bytes(40 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->always({.no_ranges = true});
  EXPECT_THAT(read_all(*reader(digest, bytes.size())), IsOkAndHolds(bytes));
  EXPECT_EQ(store_->counters().bytes_fetched, bytes.size());
}

TEST_F(SpreadTest, APartThatFailsIsTheStreamsToBring) {
  open_spreading();
  const std::string bytes = sample_bytes(40 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->script({});  // the stream
  for (int i = 0; i < 3; ++i) {
    source_->script({.error = Error(Errc::denied, "the link has expired")});
  }
  EXPECT_THAT(read_all(*reader(digest, bytes.size())), IsOkAndHolds(bytes));
}

TEST_F(SpreadTest, AWrongByteInAPartIsFound) {
  open_spreading();
  const std::string bytes = sample_bytes(40 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->always({.wrong_byte = 33 * kMiB});
  EXPECT_THAT(read_all(*reader(digest, bytes.size())), HasCode(Errc::digest_mismatch));
  EXPECT_FALSE(cache_->contains(digest));
}

TEST_F(SpreadTest, WhatIsFastEnoughTakesOneConnection) {
  Spreading how = kAlways;
  how.below = 1;
  open_spreading(how);
  const std::string bytes = sample_bytes(40 * kMiB);
  const Digest digest = source_->add(bytes);
  EXPECT_THAT(read_all(*reader(digest, bytes.size())), IsOkAndHolds(bytes));
  EXPECT_EQ(source_->gets().size(), 1U);
}

TEST_F(SpreadTest, TheLastReaderEndsAllConnections) {
  open_spreading();
  const std::string bytes = sample_bytes(64 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->always({.stall_at = 20 * kMiB, .gate = gate});
  auto one = reader(digest, bytes.size());
  EXPECT_THAT(read(*one, 0, 1000), IsOkAndHolds(bytes.substr(0, 1000)));
  ASSERT_TRUE(gate->wait_for_someone());
  one.reset();
  store_.reset();  // would hang if a job went on
  gate->open();
  open();
  EXPECT_THAT(read_all(*reader(digest, bytes.size())), IsOkAndHolds(bytes));
}

}  // namespace
}  // namespace berth::test
