// SPDX-License-Identifier: Apache-2.0
// DESIGN section 4: stopped, killed, slow and far-seeking processes never hold up others.
#include <future>

#include <gmock/gmock.h>

#include "support/fake_clock.hpp"
#include "unit/content/store_fixture.hpp"

namespace berth::test {
namespace {

/// Two stores on one folder, each with its own locks, as two processes have. The other one has a
/// source of its own.
class NeighboursTest : public StoreFixture {
 protected:
  void SetUp() override {
    store_ = open_on(cache_);
    other_store_ = open_on(other_cache_);
  }
  void TearDown() override {
    // Their clock is this test's, and goes before the fixture's own members do.
    store_.reset();
    other_store_.reset();
    cache_.reset();
    other_cache_.reset();
  }

  std::unique_ptr<content::Store> open_on(std::unique_ptr<cache::Cache>& cache) {
    auto opened = cache::Cache::open({.folder = folder_ / "cache", .clock = &clock_});
    EXPECT_THAT(opened, IsOk());
    cache = std::move(*opened);
    return std::make_unique<content::Store>(*cache, content::StoreOptions{.clock = &clock_});
  }
  std::shared_ptr<content::BlobReader> other_reader(const Digest& digest, std::uint64_t size) {
    auto opened = other_store_->open_blob(other_source_, "a", digest, size, soon());
    EXPECT_THAT(opened, IsOk());
    return *opened;
  }
  /// Reads all in a thread while time goes by and the other one's line drips.
  std::string read_beside_a_trickle(content::BlobReader& one) {
    auto all = std::async(std::launch::async, [&one] { return read_all(one).value_or(""); });
    for (int idle = 0; all.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready;) {
      // It drips, however busy the machine is; or it does not ask for more.
      if (!drip_->is_taken() && ++idle < 50) continue;
      idle = 0;
      drip_->let_one();
      clock_.advance(std::chrono::milliseconds(100));
    }
    return all.get();
  }

  FakeClock clock_;
  const std::shared_ptr<Drip> drip_ = std::make_shared<Drip>();
  const std::string bytes_ = sample_bytes(24 * kMiB + 5);
  const Digest digest_ = source_->add(bytes_);
  std::unique_ptr<cache::Cache> other_cache_;
  std::unique_ptr<content::Store> other_store_;
  const std::shared_ptr<FakeSource> other_source_ = std::make_shared<FakeSource>("slow.test:5000");
};

TEST_F(NeighboursTest, ATricklingOneHoldsUpNobody) {  // S380
  other_source_->add(bytes_);
  other_source_->always({.drip = drip_, .piece = 2000});
  const auto other = other_reader(digest_, bytes_.size());
  drip_->let_one();
  ASSERT_THAT(read(*other, 0, 1000), IsOkAndHolds(bytes_.substr(0, 1000)));
  const auto one = reader(digest_, bytes_.size());
  EXPECT_EQ(read_beside_a_trickle(*one), bytes_);
  // What it brought until then is not fetched again, and it reads what the fast one brought.
  EXPECT_LE(store_->counters().bytes_fetched, bytes_.size());
  EXPECT_THAT(read_all(*other), IsOkAndHolds(bytes_));
}

TEST_F(NeighboursTest, ATricklingOneThatSeeksFarHoldsUpNobody) {  // S381
  other_source_->add(bytes_);
  other_source_->always({.drip = drip_, .piece = 2000});
  const auto other = other_reader(digest_, bytes_.size());
  // Its stream and its range each have a chunk.
  auto far = std::async(std::launch::async, [&] { return read(*other, 20 * kMiB, 1000); });
  while (far.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) drip_->let_one();
  ASSERT_THAT(far.get(), IsOkAndHolds(bytes_.substr(20 * kMiB, 1000)));
  const auto one = reader(digest_, bytes_.size());
  EXPECT_EQ(read_beside_a_trickle(*one), bytes_);
  EXPECT_LE(store_->counters().bytes_fetched, bytes_.size() + 2 * kMiB);
}

TEST_F(NeighboursTest, OneAtAnOrdinaryPaceDownloadsForBoth) {  // S382
  other_source_->add(bytes_);
  other_source_->always({.drip = drip_});
  const auto other = other_reader(digest_, bytes_.size());
  drip_->let_one();
  ASSERT_THAT(read(*other, 0, 1000), IsOk());
  const auto one = reader(digest_, bytes_.size());
  // 2.5 MiB a second.
  EXPECT_EQ(read_beside_a_trickle(*one), bytes_);
  EXPECT_EQ(source_->gets().size(), 0U);
  EXPECT_EQ(other_source_->gets().size(), 1U);
}

}  // namespace
}  // namespace berth::test
