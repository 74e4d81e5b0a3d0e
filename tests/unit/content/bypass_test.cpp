// SPDX-License-Identifier: Apache-2.0
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "berth/base/log.hpp"

#include "unit/content/images.hpp"
#include "unit/content/store_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::HasSubstr;

/// Reads past a cache that cannot take the blob.
class BypassTest : public StoreFixture {
 protected:
  /// Has room for its own files and little else.
  void open_tiny(content::StoreOptions options = {}) { open(std::move(options), 512 * 1024); }
};

TEST_F(BypassTest, ReadsABlobThatTheCacheHasNoRoomFor) {
  open_tiny();
  const std::string bytes = sample_bytes(9 * kMiB + 3);
  const Digest digest = source_->add(bytes);
  const auto one = reader(digest, bytes.size());
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
  EXPECT_EQ(source_->gets().size(), 1U);
  EXPECT_FALSE(cache_->contains(digest));
  EXPECT_EQ(store_->counters().bypassed, 1U);
  EXPECT_FALSE(one->file_range(0, 10).has_value());
}

TEST_F(BypassTest, GoesOnFromWhatTheCacheTook) {
  open({}, 11 * kMiB);
  const std::string bytes = sample_bytes(20 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto one = reader(digest, bytes.size());
  ASSERT_THAT(read(*one, 0, 10), IsOkAndHolds(bytes.substr(0, 10)));
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
  EXPECT_EQ(store_->counters().bypassed, 1U);
  EXPECT_FALSE(cache_->contains(digest));
}

TEST_F(BypassTest, TheLastReadIsAnsweredOnlyWhenTheDigestIsRight) {
  open_tiny();
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->always({.wrong_byte = 3});
  const auto one = reader(digest, bytes.size());
  EXPECT_THAT(read(*one, 0, 1000), IsOk());
  EXPECT_THAT(read(*one, bytes.size() - 5, 5), HasCode(Errc::digest_mismatch));
  EXPECT_THAT(read(*one, 0, 1000), HasCode(Errc::digest_mismatch));
}

TEST_F(BypassTest, ASmallBlobIsVerifiedBeforeItsFirstByte) {
  open_tiny();
  const std::string bytes = sample_bytes(3 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->always({.wrong_byte = 3 * kMiB - 1});
  const auto one = reader(digest, bytes.size());
  EXPECT_THAT(read(*one, 0, 10), HasCode(Errc::digest_mismatch));
}

TEST_F(BypassTest, ALargeConfigIsVerifiedBeforeItsFirstByte) {
  open_tiny();
  const std::string config = sample_bytes(5 * kMiB);
  const Part part{std::string(oci::media::kImageConfig), source_->add(config), config.size()};
  const std::string type(oci::media::kImageManifest);
  const Digest manifest = source_->add_manifest(image_json(part, {}), type);
  ASSERT_THAT(store_->manifest(source_, "a", manifest, soon()), IsOk());
  source_->always({.wrong_byte = 5 * kMiB - 1});
  const auto wrong = reader(part.digest, part.size);
  EXPECT_THAT(read(*wrong, 0, 10), HasCode(Errc::digest_mismatch));
  source_->always({});
  const auto right = reader(part.digest, part.size);
  EXPECT_THAT(read_all(*right), IsOkAndHolds(config));
  EXPECT_EQ(store_->counters().bypassed, 2U);
}

TEST_F(BypassTest, VerifyFullReadsItTwice) {
  open_tiny({.verify_full = true});
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto right = reader(digest, bytes.size());
  EXPECT_THAT(read_all(*right), IsOkAndHolds(bytes));
  source_->always({.wrong_byte = 9 * kMiB - 1});
  const auto wrong = reader(digest, bytes.size());
  EXPECT_THAT(read(*wrong, 0, 10), HasCode(Errc::digest_mismatch));
}

TEST_F(BypassTest, ReadsBackwardsByFetchingAgain) {
  open_tiny();
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto one = reader(digest, bytes.size());
  EXPECT_THAT(read(*one, 6 * kMiB, 1000), IsOkAndHolds(bytes.substr(6 * kMiB, 1000)));
  EXPECT_THAT(read(*one, kMiB, 1000), IsOkAndHolds(bytes.substr(kMiB, 1000)));
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
}

TEST_F(BypassTest, OtherBytesTheSecondTimeAreAMismatch) {
  open_tiny();
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->script({});
  source_->always({.wrong_byte = kMiB + 5});
  const auto one = reader(digest, bytes.size());
  ASSERT_THAT(read(*one, 6 * kMiB, 1000), IsOkAndHolds(bytes.substr(6 * kMiB, 1000)));
  EXPECT_THAT(read(*one, kMiB, 1000), HasCode(Errc::digest_mismatch));
}

TEST_F(BypassTest, HashesTheBytesThatWereGiven) {
  open({}, 17 * kMiB);
  const std::string kept = sample_bytes(11 * kMiB, 7);
  const Digest kept_digest = digest_of(as_bytes(kept));
  ASSERT_THAT(cache_->put(kept_digest, as_bytes(kept)), IsOk());
  const auto held = cache_->find(kept_digest);  // leaves room for one chunk
  const std::string bytes = sample_bytes(16 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.wrong_byte = kMiB + 5, .stall_at = kMiB + 300'000, .gate = gate});
  const auto one = reader(digest, bytes.size());
  auto given = read(*one, kMiB, 10);
  ASSERT_THAT(given, IsOk());
  ASSERT_NE(*given, bytes.substr(kMiB, 10));
  ASSERT_TRUE(gate->wait_for_someone());
  // The rest of that piece, and all others, come from the registry, and are right.
  EXPECT_THAT(read(*one, 12 * kMiB, 10), IsOkAndHolds(bytes.substr(12 * kMiB, 10)));
  ASSERT_EQ(store_->counters().bypassed, 1U);
  EXPECT_THAT(read(*one, bytes.size() - 10, 10), HasCode(Errc::digest_mismatch));
}

TEST_F(BypassTest, IsOverWhenTheAttemptThatItBeganWithIs) {
  open({}, 17 * kMiB);
  const std::string kept = sample_bytes(11 * kMiB, 7);
  const Digest kept_digest = digest_of(as_bytes(kept));
  ASSERT_THAT(cache_->put(kept_digest, as_bytes(kept)), IsOk());
  const auto held = cache_->find(kept_digest);
  const std::string bytes = sample_bytes(16 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.stall_at = kMiB + 300'000, .gate = gate});
  const auto one = reader(digest, bytes.size());
  ASSERT_THAT(read(*one, 0, 10), IsOk());
  ASSERT_TRUE(gate->wait_for_someone());
  ASSERT_THAT(read(*one, 12 * kMiB, 10), IsOk());
  ASSERT_EQ(store_->counters().bypassed, 1U);
  (*cache_->join(digest, bytes.size()))->fail();
  EXPECT_THAT(read(*one, 0, 10), HasCode(Errc::digest_mismatch));
  gate->open();
}

TEST_F(BypassTest, SixtyFourMiBAheadIsTheMost) {
  open_tiny();
  std::vector<std::string> lines;
  Mutex mutex;
  log::set_sink(
      [&](log::Level, std::string_view line) {
        MutexLock lock(mutex);
        lines.emplace_back(line);
      },
      log::Level::warning);
  const std::string bytes(70 * kMiB, 'x');
  const Digest digest = source_->add(bytes);
  const auto one = reader(digest, bytes.size());
  EXPECT_THAT(read(*one, 65 * kMiB, 10), HasCode(Errc::no_space));
  EXPECT_THAT(read(*one, 65 * kMiB - 10, 10), IsOkAndHolds(std::string(10, 'x')));
  log::set_sink(nullptr, log::Level::warning);
  MutexLock lock(mutex);
  EXPECT_THAT(lines, ::testing::Contains(HasSubstr("berth cache limit")));
}

TEST_F(BypassTest, AReadThatWaitsForAnotherEndsWithItsContext) {
  open_tiny();
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.stall_at = kMiB, .gate = gate});
  const auto one = reader(digest, bytes.size());
  std::jthread first([&] { EXPECT_THAT(read(*one, 2 * kMiB, 10), IsOk()); });
  ASSERT_TRUE(gate->wait_for_someone());
  std::byte byte{};
  EXPECT_THAT(
      one->read(0, std::span(&byte, 1), Context().with_timeout(std::chrono::milliseconds(1))),
      HasCode(Errc::timeout));
  gate->open();
}

TEST_F(BypassTest, ClosingTheStoreEndsIt) {
  open_tiny();
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto one = reader(digest, bytes.size());
  ASSERT_THAT(read(*one, 0, 10), IsOk());
  store_.reset();
  EXPECT_THAT(read(*one, 10, 10), HasCode(Errc::cancelled));
}

TEST_F(BypassTest, AReadFarAheadIsRefusedWithTheRemedy) {
  open_tiny();
  const std::string bytes(70 * kMiB, 'x');
  const Digest digest = source_->add(bytes);
  const auto one = reader(digest, bytes.size());
  auto far = read(*one, 66 * kMiB, 10);
  ASSERT_THAT(far, HasCode(Errc::no_space));
  EXPECT_THAT(far.error().message(), HasSubstr("berth cache limit"));
  EXPECT_TRUE(source_->gets().empty() || source_->gets().size() == 1U);
  EXPECT_THAT(read(*one, 0, 10), IsOkAndHolds(std::string(10, 'x')));
}

TEST_F(BypassTest, ABrokenStreamIsTakenUpByTheNextRead) {
  open_tiny();
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->script({.cut_at = 5 * kMiB + 7});
  const auto one = reader(digest, bytes.size());
  ASSERT_THAT(read(*one, 4 * kMiB, 1000), IsOk());
  EXPECT_THAT(read(*one, 5 * kMiB, 1000), HasCode(Errc::unavailable));
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
}

TEST_F(BypassTest, AServerWithoutRangesIsSkippedThrough) {
  open_tiny();
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->always({.no_ranges = true});
  const auto one = reader(digest, bytes.size());
  ASSERT_THAT(read(*one, 6 * kMiB, 1000), IsOkAndHolds(bytes.substr(6 * kMiB, 1000)));
  EXPECT_THAT(read(*one, kMiB, 1000), IsOkAndHolds(bytes.substr(kMiB, 1000)));
}

}  // namespace
}  // namespace berth::test
