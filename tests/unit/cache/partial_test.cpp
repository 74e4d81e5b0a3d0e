// SPDX-License-Identifier: Apache-2.0
#include "berth/cache/partial.hpp"

#include <thread>
#include <vector>

#include "cache/fault_point.hpp"
#include "unit/cache/cache_fixture.hpp"

namespace berth::cache::test {
namespace {

class PartialTest : public CacheTest {
 protected:
  std::shared_ptr<Partial> join(Cache& cache, const Digest& digest, std::uint64_t size) {
    auto partial = cache.join(digest, size);
    EXPECT_THAT(partial, IsOk());
    return partial ? *partial : nullptr;
  }
  const std::string bytes_ = content(9 * kMiB + 123);
  const Digest digest_ = digest_of(as_bytes(bytes_));
};

TEST_F(PartialTest, IsPublishedWhenItsLastByteIsHashed) {
  const auto cache = open();
  const auto partial = join(*cache, digest_, bytes_.size());
  EXPECT_EQ(fill(*partial, bytes_), bytes_.size());
  EXPECT_EQ(partial->state(), State::complete);
  EXPECT_EQ(read_blob(*cache, digest_), bytes_);
  EXPECT_FALSE(std::filesystem::exists(ingest_path(digest_)));
}

TEST_F(PartialTest, BytesCanBeReadAsSoonAsTheyAreWritten) {
  const auto cache = open();
  const auto partial = join(*cache, digest_, bytes_.size());
  auto download = partial->begin_download(0);
  ASSERT_THAT(download, IsOk());
  ASSERT_THAT((*download)->write(as_bytes(bytes_.substr(0, 1000))), IsOkAndHolds(true));
  EXPECT_EQ(partial->available(0), 1000U);
  EXPECT_EQ(partial->available(400), 600U);
  std::string out(600, '\0');
  ASSERT_THAT(partial->read(std::as_writable_bytes(std::span(out)), 400), IsOk());
  EXPECT_EQ(out, bytes_.substr(400, 600));
  EXPECT_THAT(partial->read(std::as_writable_bytes(std::span(out)), 401), HasCode(Errc::io));
}

TEST_F(PartialTest, TheSameDigestIsTheSameObject) {
  const auto cache = open();
  const auto first = join(*cache, digest_, bytes_.size());
  EXPECT_EQ(first, join(*cache, digest_, bytes_.size()));
}

TEST_F(PartialTest, WhoMustNotWaitGetsWhatIsJoinedAlready) {
  const auto cache = open();
  const Context now = Context{}.nonblocking();
  EXPECT_THAT(cache->join(digest_, bytes_.size(), now), HasCode(Errc::would_block));
  EXPECT_FALSE(std::filesystem::exists(ingest_path(digest_)));
  const auto first = join(*cache, digest_, bytes_.size());
  EXPECT_THAT(cache->join(digest_, bytes_.size(), now), IsOkAndHolds(first));
  EXPECT_THAT(cache->join(digest_, 5, now), HasCode(Errc::would_block));
  EXPECT_EQ(first->state(), State::filling) << "only who may wait drops it";
}

TEST_F(PartialTest, ADownloadBeginsInTheChunkOfItsOffset) {
  const auto cache = open();
  const auto partial = join(*cache, digest_, bytes_.size());
  auto second = partial->begin_download(kChunk + 5000);
  ASSERT_THAT(second, IsOk());
  ASSERT_TRUE(second->has_value());
  EXPECT_EQ((*second)->position(), kChunk);
  EXPECT_EQ((*second)->end(), bytes_.size());
  auto first = partial->begin_download(0);
  ASSERT_THAT(first, IsOk());
  ASSERT_TRUE(first->has_value());
  EXPECT_EQ((*first)->end(), kChunk) << "the second chunk is held";
  const auto again = partial->begin_download(10);
  ASSERT_THAT(again, IsOk());
  EXPECT_FALSE(again->has_value()) << "a live download fills it";
}

TEST_F(PartialTest, ADownloadStopsBeforeAChunkThatAnotherFills) {
  const auto cache = open();
  const auto partial = join(*cache, digest_, bytes_.size());
  auto second = partial->begin_download(kChunk);
  auto first = partial->begin_download(0);
  ASSERT_THAT((*first)->write(as_bytes(bytes_.substr(0, kChunk + 7))), IsOkAndHolds(false));
  EXPECT_EQ((*first)->position(), kChunk);
}

TEST_F(PartialTest, ChunksInAnyOrderAreHashedInOrder) {
  const auto cache = open();
  const auto partial = join(*cache, digest_, bytes_.size());
  for (const std::uint64_t offset : {2 * kChunk, kChunk, std::uint64_t{0}}) {
    auto download = partial->begin_download(offset);
    ASSERT_THAT(download, IsOk());
    const std::size_t length = std::min<std::size_t>(kChunk, bytes_.size() - offset);
    ASSERT_THAT((*download)->write(as_bytes(bytes_.substr(offset, length))), IsOkAndHolds(true));
  }
  ASSERT_THAT(partial->advance(Context{}), IsOkAndHolds(bytes_.size()));
  EXPECT_EQ(partial->state(), State::complete);
  EXPECT_EQ(read_blob(*cache, digest_), bytes_);
}

TEST_F(PartialTest, WrongBytesFailTheAttempt) {
  const auto cache = open();
  const auto partial = join(*cache, digest_, bytes_.size());
  std::string wrong = bytes_;
  wrong[77] ^= 1;
  auto download = partial->begin_download(0);
  EXPECT_THAT((*download)->write(as_bytes(wrong)), HasCode(Errc::digest_mismatch));
  EXPECT_EQ(partial->state(), State::failed);
  EXPECT_FALSE(cache->contains(digest_));
  std::byte out{};
  EXPECT_THAT(partial->read(std::span(&out, 1), 0), HasCode(Errc::io));

  const auto next = join(*cache, digest_, bytes_.size());
  EXPECT_NE(next->attempt(), partial->attempt());
  EXPECT_EQ(next->available(0), 0U);
  fill(*next, bytes_);
  EXPECT_EQ(read_blob(*cache, digest_), bytes_);
}

TEST_F(PartialTest, TooManyBytesFailTheAttempt) {
  const auto cache = open();
  const auto partial = join(*cache, digest_, 100);
  auto download = partial->begin_download(0);
  EXPECT_THAT((*download)->write(as_bytes(bytes_.substr(0, 101))), HasCode(Errc::digest_mismatch));
  EXPECT_EQ(partial->state(), State::failed);
}

TEST_F(PartialTest, AnotherSizeBeginsAnew) {
  const auto cache = open();
  const auto partial = join(*cache, digest_, bytes_.size());
  auto download = partial->begin_download(0);
  ASSERT_THAT((*download)->write(as_bytes(bytes_.substr(0, 5000))), IsOk());
  const auto other = join(*cache, digest_, bytes_.size() + 1);
  EXPECT_EQ(partial->state(), State::failed);
  EXPECT_EQ(other->size(), bytes_.size() + 1);
  EXPECT_EQ(other->available(0), 0U);
  EXPECT_THAT((*download)->write(as_bytes("x")), HasCode(Errc::conflict));
}

TEST_F(PartialTest, IsTakenUpWhereItStopped) {
  {
    const auto cache = open();
    const auto partial = join(*cache, digest_, bytes_.size());
    auto download = partial->begin_download(0);
    ASSERT_THAT((*download)->write(as_bytes(bytes_.substr(0, 5 * kMiB))), IsOk());
    EXPECT_EQ(partial->hashed(), 5 * kMiB);
  }
  const auto cache = open();
  const auto partial = join(*cache, digest_, bytes_.size());
  EXPECT_EQ(partial->available(0), 5 * kMiB);
  EXPECT_EQ(partial->hashed(), 5 * kMiB);
  EXPECT_EQ(fill(*partial, bytes_), bytes_.size() - 5 * kMiB);
  EXPECT_EQ(read_blob(*cache, digest_), bytes_);
}

TEST_F(PartialTest, JoiningWhatIsCompleteIsComplete) {
  const auto cache = open();
  ASSERT_THAT(cache->put(digest_, as_bytes(bytes_)), IsOk());
  const auto partial = join(*cache, digest_, bytes_.size());
  EXPECT_EQ(partial->state(), State::complete);
  EXPECT_EQ(partial->available(3), bytes_.size() - 3);
  std::string out(10, '\0');
  ASSERT_THAT(partial->read(std::as_writable_bytes(std::span(out)), 3), IsOk());
  EXPECT_EQ(out, bytes_.substr(3, 10));
  EXPECT_THAT(partial->advance(Context{}), IsOkAndHolds(bytes_.size()));
}

// What is counted here is what a waiter sleeps on; that it wakes stands in map_file_test.
TEST_F(PartialTest, BytesFailureAndCancellingAreChanges) {
  const auto cache = open();
  const auto partial = join(*cache, digest_, bytes_.size());
  std::uint64_t seen = partial->changes();
  auto download = partial->begin_download(0);
  static_cast<void>((*download)->write(as_bytes(bytes_.substr(0, 10))));
  EXPECT_GT(partial->changes(), seen);
  seen = partial->changes();
  std::stop_source stop;
  std::jthread canceller([&] { stop.request_stop(); });
  const Context context = Context{}.with_stop(stop.get_token());
  while (context.check()) partial->wait(seen, std::chrono::seconds(10), context, kChunk);
  canceller.join();
  seen = partial->changes();
  partial->fail();
  EXPECT_GT(partial->changes(), seen);
}

TEST_F(PartialTest, IsSettledWhenItIsComplete) {
  const auto cache = open();
  const auto partial = join(*cache, digest_, bytes_.size());
  EXPECT_FALSE(partial->settled());
  fill(*partial, bytes_);
  EXPECT_TRUE(partial->settled());
}

TEST_F(PartialTest, ManyThreadsFillAndReadOneBlob) {
  const auto cache = open();
  const std::string bytes = content(33 * kMiB, 7);
  const Digest digest = digest_of(as_bytes(bytes));
  const auto partial = join(*cache, digest, bytes.size());
  std::atomic<std::size_t> written = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      std::size_t here = 0;
      EXPECT_EQ(fill_to_end(*partial, bytes, &here), State::complete);
      written += here;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(written, bytes.size()) << "no byte twice";
  EXPECT_EQ(read_blob(*cache, digest), bytes);
}

TEST_F(PartialTest, AFolderTakenApartByHandIsBegunAnew) {
  const auto cache = open();
  {
    const auto partial = join(*cache, digest_, bytes_.size());
    auto download = partial->begin_download(0);
    ASSERT_THAT((*download)->write(as_bytes(bytes_.substr(0, 1000))), IsOk());
  }
  std::filesystem::remove(ingest_path(digest_) / "data");
  const auto partial = join(*cache, digest_, bytes_.size());
  EXPECT_EQ(partial->available(0), 0U);
  EXPECT_EQ(fill(*partial, bytes_), bytes_.size());
}

TEST_F(PartialTest, GoesOnWhenTheCacheIsRemovedMeanwhile) {
  const auto cache = open();
  const auto partial = join(*cache, digest_, bytes_.size());
  auto download = partial->begin_download(0);
  ASSERT_THAT((*download)->write(as_bytes(bytes_.substr(0, kChunk))), IsOk());
  std::filesystem::remove_all(folder());
  ASSERT_THAT((*download)->write(as_bytes(bytes_.substr(kChunk))), IsOkAndHolds(true));
  EXPECT_EQ(partial->state(), State::complete);
  std::string out(bytes_.size(), '\0');
  ASSERT_THAT(partial->read(std::as_writable_bytes(std::span(out)), 0), IsOk());
  EXPECT_EQ(out, bytes_);
  const auto found = cache->find(digest_);
  ASSERT_THAT(found, IsOk());
  EXPECT_FALSE(found->has_value());
}

TEST_F(PartialTest, AStalledDownloadOfThisProcessIsPassedBy) {
  const auto cache = open();
  const auto partial = join(*cache, digest_, bytes_.size());
  auto stalled = partial->begin_download(0);
  ASSERT_THAT((*stalled)->write(as_bytes(bytes_.substr(0, 100))), IsOkAndHolds(true));
  clock_.pass(kStall - std::chrono::milliseconds(1));
  const auto early = partial->begin_download(0);
  ASSERT_THAT(early, IsOk());
  EXPECT_FALSE(early->has_value());
  clock_.pass(std::chrono::milliseconds(1));
  auto passing = partial->begin_download(0);
  ASSERT_THAT(passing, IsOk());
  ASSERT_TRUE(passing->has_value());
  EXPECT_EQ((*passing)->position(), 100U);
  EXPECT_THAT((*stalled)->write(as_bytes("XXXX")), IsOkAndHolds(false)) << "it lost the chunk";
  ASSERT_THAT((*passing)->write(as_bytes(bytes_.substr(100))), IsOkAndHolds(true));
  EXPECT_EQ(read_blob(*cache, digest_), bytes_);
}

}  // namespace
}  // namespace berth::cache::test
