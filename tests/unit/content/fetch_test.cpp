// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <thread>

#include <gmock/gmock.h>

#include "support/fake_clock.hpp"
#include "unit/content/images.hpp"
#include "unit/content/store_fixture.hpp"

namespace berth::test {
namespace {

using content::BlobReader;
using ::testing::HasSubstr;

class FetchTest : public StoreFixture {
 protected:
  void SetUp() override { open(); }
  void TearDown() override { store_.reset(); }  // it may use the clock

  FakeClock clock_;
};

TEST_F(FetchTest, ReadsABlobAndKeepsIt) {
  const std::string bytes = sample_bytes(9 * kMiB + 17);
  const Digest digest = source_->add(bytes);
  const auto first = reader(digest, bytes.size());
  EXPECT_FALSE(first->complete());
  EXPECT_EQ(source_->gets().size(), 0U);
  EXPECT_THAT(read_all(*first), IsOkAndHolds(bytes));
  const auto second = reader(digest, bytes.size());
  EXPECT_TRUE(second->complete());
  EXPECT_THAT(read_all(*second), IsOkAndHolds(bytes));
  EXPECT_EQ(source_->gets().size(), 1U);
  EXPECT_EQ(store_->counters().bytes_fetched, bytes.size());
  EXPECT_EQ(store_->counters().cache_hits, 1U);
}

TEST_F(FetchTest, DownloadsOnceForManyReaders) {
  const std::string bytes = sample_bytes(5 * kMiB + 1);
  const Digest digest = source_->add(bytes);
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 32; ++i) {
      threads.emplace_back([&] {
        const auto own = reader(digest, bytes.size());
        if (read_all(*own, kMiB).value_or("") == bytes) ++right;
      });
    }
  }
  EXPECT_EQ(right, 32);
  EXPECT_EQ(source_->gets().size(), 1U);
}

TEST_F(FetchTest, GivesBytesBeforeTheRestHasArrived) {
  const std::string bytes = sample_bytes(8 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.stall_at = 6 * kMiB, .gate = gate});
  const auto one = reader(digest, bytes.size());
  EXPECT_THAT(read(*one, 0, kMiB), IsOkAndHolds(bytes.substr(0, kMiB)));
  ASSERT_THAT(read(*one, 2 * kMiB - 1, 1), IsOk());
  EXPECT_TRUE(one->file_range(kMiB, kMiB).has_value());
  EXPECT_FALSE(one->file_range(7 * kMiB, 100).has_value());
  gate->open();
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
}

TEST_F(FetchTest, ARangeOfTheFileIsWaitedForAsARead) {
  const std::string bytes = sample_bytes(8 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.wrong_byte = 7 * kMiB, .stall_at = 6 * kMiB, .gate = gate});
  const auto one = reader(digest, bytes.size());
  const auto range = one->wait_for_range(kMiB, 1000, soon());
  ASSERT_THAT(range, IsOk());
  ASSERT_TRUE(range->has_value());
  std::string got(1000, '\0');
  ASSERT_THAT(pread_exact((*range)->fd, std::as_writable_bytes(std::span(got)), (*range)->offset),
              IsOk());
  EXPECT_EQ(got, bytes.substr(kMiB, 1000));
  EXPECT_FALSE(one->settled());
  EXPECT_THAT(one->wait_for_range(6 * kMiB, 1000, Context().nonblocking()),
              HasCode(Errc::would_block));
  EXPECT_THAT(
      one->wait_for_range(6 * kMiB, 1000, Context().with_timeout(std::chrono::milliseconds(1))),
      HasCode(Errc::timeout));
  gate->open();
  EXPECT_THAT(one->wait_for_range(bytes.size() - 10, 10, soon()), HasCode(Errc::digest_mismatch));
}

TEST_F(FetchTest, HoldsBackSmallBlobsUntilTheyAreVerified) {
  const std::string bytes = sample_bytes(4 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.stall_at = 3 * kMiB, .gate = gate});
  const auto one = reader(digest, bytes.size());
  std::byte byte{};
  ASSERT_THAT(one->read(0, std::span(&byte, 1), Context().nonblocking()),
              HasCode(Errc::would_block));
  ASSERT_TRUE(gate->wait_for_someone());
  EXPECT_THAT(one->read(0, std::span(&byte, 1), Context().nonblocking()),
              HasCode(Errc::would_block));
  EXPECT_FALSE(one->file_range(0, 1).has_value());
  gate->open();
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
}

TEST_F(FetchTest, HoldsTheReadOfTheLastByteUntilTheDigestIsRight) {
  const std::string bytes = sample_bytes(6 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->always({.wrong_byte = 100});
  const auto one = reader(digest, bytes.size());
  // All of it is there, and wrong: what does not hold the last byte may have been given before.
  EXPECT_THAT(read(*one, bytes.size() - 10, 10), HasCode(Errc::digest_mismatch));
  const Context limit = soon();  // it is counted a moment after the readers see it
  while (store_->counters().digest_mismatches < 2 && limit.check()) std::this_thread::yield();
  EXPECT_EQ(store_->counters().digest_mismatches, 2U);
}

TEST_F(FetchTest, VerifyFullGivesNothingThatIsNotVerified) {
  open({.verify_full = true});
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.stall_at = 8 * kMiB, .gate = gate});
  const auto one = reader(digest, bytes.size());
  std::byte byte{};
  ASSERT_THAT(one->read(0, std::span(&byte, 1), Context().nonblocking()),
              HasCode(Errc::would_block));
  ASSERT_TRUE(gate->wait_for_someone());
  EXPECT_THAT(one->read(0, std::span(&byte, 1), Context().nonblocking()),
              HasCode(Errc::would_block));
  gate->open();
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
}

TEST_F(FetchTest, ASeekDoesNotWaitForTheStream) {
  const std::string bytes = sample_bytes(40 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.stall_at = kMiB, .gate = gate});
  const auto one = reader(digest, bytes.size());
  ASSERT_THAT(read(*one, 0, 1000), IsOkAndHolds(bytes.substr(0, 1000)));
  ASSERT_TRUE(gate->wait_for_someone());
  const std::uint64_t far = 30 * kMiB + 5;
  EXPECT_THAT(read(*one, far, 1000), IsOkAndHolds(bytes.substr(far, 1000)));
  const auto gets = source_->gets();
  ASSERT_GE(gets.size(), 2U);
  EXPECT_EQ(gets[1].offset, 28 * kMiB);
  EXPECT_EQ(gets[1].length, 4 * kMiB);
  gate->open();
  EXPECT_THAT(read_all(*one, kMiB), IsOkAndHolds(bytes));
  // Nothing is fetched twice but the piece at which the stream met the other range.
  EXPECT_LE(store_->counters().bytes_fetched, bytes.size() + kMiB);
}

TEST_F(FetchTest, AReaderFarFromTheStreamAsksForMoreAndMore) {
  const std::string bytes = sample_bytes(44 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.stall_at = kMiB, .gate = gate});
  const auto one = reader(digest, bytes.size());
  ASSERT_THAT(read(*one, 0, 1000), IsOk());
  ASSERT_TRUE(gate->wait_for_someone());
  for (std::uint64_t at = 16 * kMiB; at < 40 * kMiB; at += kMiB) {
    ASSERT_THAT(read(*one, at, kMiB), IsOkAndHolds(bytes.substr(at, kMiB)));
  }
  EXPECT_LE(source_->gets().size(), 5U);
}

TEST_F(FetchTest, AWaitingReaderIsToldWhyTheDownloadFailed) {
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->script({.error = Error(Errc::unavailable, "the registry is down")});
  const auto one = reader(digest, bytes.size());
  auto failed = read(*one, 0, 100);
  ASSERT_THAT(failed, HasCode(Errc::unavailable));
  EXPECT_THAT(failed.error().message(), HasSubstr("the registry is down"));
  // The next read asks again.
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
}

TEST_F(FetchTest, AFailedRangeIsNoErrorOfWhoReadsElsewhere) {
  const std::string bytes = sample_bytes(40 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.stall_at = kMiB, .gate = gate});
  const auto near = reader(digest, bytes.size());
  const auto far = reader(digest, bytes.size());
  ASSERT_THAT(read(*near, 0, 10), IsOk());
  ASSERT_TRUE(gate->wait_for_someone());
  std::jthread waiting(
      [&] { EXPECT_THAT(read(*near, 2 * kMiB, 10), IsOkAndHolds(bytes.substr(2 * kMiB, 10))); });
  for (int origins = 0; origins < 2; ++origins) {
    source_->script({.error = Error(Errc::unavailable, "this part is away")});
  }
  EXPECT_THAT(read(*far, 30 * kMiB, 10), HasCode(Errc::unavailable));
  gate->open();
}

TEST_F(FetchTest, ALargeConfigIsVerifiedBeforeItsFirstByte) {
  const std::string config = sample_bytes(5 * kMiB);
  const Part part{std::string(oci::media::kImageConfig), source_->add(config), config.size()};
  const std::string type(oci::media::kImageManifest);
  const Digest manifest = source_->add_manifest(image_json(part, {}), type);
  ASSERT_THAT(store_->manifest(source_, "a", manifest, soon()), IsOk());
  const auto gate = std::make_shared<Barrier>();
  source_->script({.stall_at = 5 * kMiB - 1, .gate = gate});
  const auto one = reader(part.digest, part.size);
  std::byte byte{};
  const Context now = Context().nonblocking();
  EXPECT_THAT(one->read(0, std::span(&byte, 1), now), HasCode(Errc::would_block));
  ASSERT_TRUE(gate->wait_for_someone());
  EXPECT_THAT(one->read(0, std::span(&byte, 1), now), HasCode(Errc::would_block));
  EXPECT_FALSE(one->file_range(0, 10).has_value());
  gate->open();
  EXPECT_THAT(read(*one, 0, 10), IsOkAndHolds(config.substr(0, 10)));
}

TEST_F(FetchTest, BytesThatArriveBringTheCacheToASyncPoint) {
  open({.clock = &clock_});
  const std::string bytes = sample_bytes(20 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.cut_at = 16 * kMiB, .stall_at = 10 * kMiB, .gate = gate});
  const auto one = reader(digest, bytes.size());
  ASSERT_THAT(read(*one, 0, 10), IsOk());
  ASSERT_TRUE(gate->wait_for_someone());
  const std::filesystem::path record =
      folder_ / "cache/ingest" / ("sha256-" + std::string(digest.hex())) / "synced";
  EXPECT_FALSE(std::filesystem::exists(record));
  clock_.advance(std::chrono::seconds(61));
  gate->open();
  const Context limit = soon();
  while (!std::filesystem::exists(record) && limit.check()) std::this_thread::yield();
  EXPECT_TRUE(std::filesystem::exists(record));
}

TEST_F(FetchTest, ACutBodyIsTakenUpWhereItEnded) {
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->script({.cut_at = 5 * kMiB});
  const auto one = reader(digest, bytes.size());
  EXPECT_THAT(read(*one, 6 * kMiB, 10), HasCode(Errc::unavailable));
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
  const auto gets = source_->gets();
  ASSERT_EQ(gets.size(), 2U);
  EXPECT_EQ(gets[1].offset, 5 * kMiB);
}

TEST_F(FetchTest, AnotherOriginOfTheSameBlobHelpsOut) {
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->always({.error = Error(Errc::denied, "not you")});
  const auto other_source = std::make_shared<FakeSource>("other.test");
  other_source->add(bytes);
  const auto one = reader(digest, bytes.size());
  auto other = store_->open_blob(other_source, "b", digest, bytes.size(), soon());
  ASSERT_THAT(other, IsOk());
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
  EXPECT_THAT(read_all(**other), IsOkAndHolds(bytes));
}

TEST_F(FetchTest, ClosingTheLastReaderStopsTheDownloadAndTheNextTakesItUp) {
  const std::string bytes = sample_bytes(20 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.stall_at = 10 * kMiB, .gate = gate});
  auto one = reader(digest, bytes.size());
  ASSERT_THAT(read(*one, 7 * kMiB, kMiB), IsOk());
  ASSERT_TRUE(gate->wait_for_someone());
  one.reset();  // the gate stays shut: only cancelling ends the body
  open();       // a new store over a new cache object: another process, in effect
  const auto two = reader(digest, bytes.size());
  EXPECT_THAT(read_all(*two, kMiB), IsOkAndHolds(bytes));
  const auto gets = source_->gets();
  ASSERT_EQ(gets.size(), 2U);
  EXPECT_EQ(gets[1].offset, 10 * kMiB);
  EXPECT_EQ(gets[1].length, std::nullopt);
}

TEST_F(FetchTest, GoesOnWhileAReaderIsOpenThatDoesNotRead) {
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto one = reader(digest, bytes.size());
  ASSERT_THAT(read(*one, 0, 10), IsOk());
  const Context limit = soon();
  while (!cache_->contains(digest) && limit.check()) std::this_thread::yield();
  EXPECT_TRUE(cache_->contains(digest));
}

TEST_F(FetchTest, ACancelledReadEndsAndLeavesTheReaderUsable) {
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.stall_at = 0, .gate = gate});
  const auto one = reader(digest, bytes.size());
  std::stop_source stop;
  std::jthread canceller([&] {
    EXPECT_TRUE(gate->wait_for_someone());
    stop.request_stop();
  });
  std::string out(10, '\0');
  EXPECT_THAT(
      one->read(0, std::as_writable_bytes(std::span(out)), Context().with_stop(stop.get_token())),
      HasCode(Errc::cancelled));
  gate->open();
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
}

TEST_F(FetchTest, AServerWithoutRangesIsReadFromTheStart) {
  const std::string bytes = sample_bytes(12 * kMiB);
  const Digest digest = source_->add(bytes);
  source_->script({.cut_at = 6 * kMiB, .no_ranges = true});
  source_->always({.no_ranges = true});
  const auto one = reader(digest, bytes.size());
  EXPECT_THAT(read(*one, 7 * kMiB, 10), HasCode(Errc::unavailable));
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
}

TEST_F(FetchTest, ASmallBlobDoesNotQueueBehindLargeOnesThatStall) {
  const auto gate = std::make_shared<Barrier>();
  std::vector<std::shared_ptr<BlobReader>> stalled;
  for (int i = 0; i < 12; ++i) {
    const std::string bytes = sample_bytes(5 * kMiB, 100 + static_cast<std::uint64_t>(i));
    stalled.push_back(reader(source_->add(bytes), bytes.size()));
    source_->script({.stall_at = 0, .gate = gate});
    std::byte byte{};
    ASSERT_THAT(stalled.back()->read(0, std::span(&byte, 1), Context().nonblocking()),
                HasCode(Errc::would_block));
  }
  const Context limit = soon();
  while (source_->gets().size() < 8 && limit.check()) std::this_thread::yield();
  const std::string bytes = sample_bytes(1000);
  const Digest digest = source_->add(bytes);
  // Four scripts are left: this answer stalls, too, unless they are taken away.
  source_->clear_scripts();
  EXPECT_THAT(read_all(*reader(digest, bytes.size())), IsOkAndHolds(bytes));
  EXPECT_EQ(source_->gets().size(), 9U);
  gate->open();
}

TEST_F(FetchTest, WhoMustNotWaitDoesNotBeginAPartialBlob) {
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto one = reader(digest, bytes.size());
  EXPECT_FALSE(one->file_range(0, 10).has_value());
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "cache" / "ingest"));
  EXPECT_EQ(cache_->status()->partial, 0U);
  EXPECT_THAT(read_all(*one), IsOkAndHolds(bytes));
}

TEST_F(FetchTest, ClosingTheStoreEndsWaitingReads) {
  const std::string bytes = sample_bytes(9 * kMiB);
  const Digest digest = source_->add(bytes);
  const auto gate = std::make_shared<Barrier>();
  source_->script({.stall_at = 0, .gate = gate});
  const auto one = reader(digest, bytes.size());
  std::jthread closer([&] {
    EXPECT_TRUE(gate->wait_for_someone());
    store_.reset();
  });
  EXPECT_THAT(read(*one, 0, 10), HasCode(Errc::cancelled));
}

}  // namespace
}  // namespace berth::test
