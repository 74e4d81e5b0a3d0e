// SPDX-License-Identifier: Apache-2.0
// DESIGN section 4: one download, many readers, over processes that stop, die and lie.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <thread>

#include "cache/fault_point.hpp"
#include "cache/map_file.hpp"
#include "unit/cache/cache_fixture.hpp"

namespace berth::cache::test {
namespace {

// What a child does when it comes to a point; set before fork, used by the child alone.
const char* point_to_stop_at = nullptr;

void stop_here(const char* point) {
  if (point_to_stop_at == nullptr || std::string_view(point) != point_to_stop_at) return;
  point_to_stop_at = nullptr;
  ::raise(SIGSTOP);
}

class ProcessesTest : public CacheTest {
 protected:
  ~ProcessesTest() override { fault_hook = nullptr; }

  std::shared_ptr<Partial> join(Cache& cache) {
    auto partial = cache.join(digest_, bytes_.size());
    EXPECT_THAT(partial, IsOk());
    return *partial;
  }
  /// Waits for a child that stops itself at a fault point.
  static void wait_until_stopped(const Child& child) {
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WSTOPPED), 0);
  }
  bool is_tainted() const {
    auto fd = open_at(AT_FDCWD, ingest_path(digest_) / "map", O_RDWR);
    const auto map = MapFile::open(fd->get());
    return map && map->has(MapFile::kTainted);
  }

  const std::string bytes_ = content(17 * kMiB + 99, 3);
  const Digest digest_ = digest_of(as_bytes(bytes_));
};

TEST_F(ProcessesTest, SeveralFillOneBlobAndFetchNoByteTwice) {
  Signals signals;
  const auto work = [&] {
    const auto cache = open();
    const auto partial = join(*cache);
    std::size_t written = 0;
    const State state = fill_to_end(*partial, bytes_, &written);
    signals.number(0) += static_cast<std::int64_t>(written);
    return state == State::complete && read_blob(*cache, digest_) == bytes_ ? 0 : 1;
  };
  Child a(work);
  Child b(work);
  Child c(work);
  EXPECT_EQ(a.wait(), 0);
  EXPECT_EQ(b.wait(), 0);
  EXPECT_EQ(c.wait(), 0);
  EXPECT_EQ(signals.number(0), static_cast<std::int64_t>(bytes_.size()));
  expect_blobs_verified();
}

TEST_F(ProcessesTest, SeveralMakeTheFolderAtOnce) {
  for (int round = 0; round < 20; ++round) {
    Signals signals;
    const auto work = [&] {
      if (!signals.wait_for(0)) return 1;
      const auto cache = Cache::open(options());
      EXPECT_THAT(cache, IsOk());
      return cache && (*cache)->put(digest_of(as_bytes("x")), as_bytes("x")) ? 0 : 2;
    };
    Child a(work);
    Child b(work);
    Child c(work);
    signals.raise(0);
    EXPECT_EQ(a.wait(), 0);
    EXPECT_EQ(b.wait(), 0);
    EXPECT_EQ(c.wait(), 0);
    std::filesystem::remove_all(folder());
  }
}

TEST_F(ProcessesTest, AReaderSeesTheBytesInsideAChunkOfAnotherProcess) {
  Signals signals;
  Child writer([&] {
    const auto cache = open();
    const auto partial = join(*cache);
    auto download = partial->begin_download(0);
    if (!(*download)->write(as_bytes(bytes_.substr(0, 70000)))) return 1;
    signals.raise(0);
    return signals.wait_for(1) ? 0 : 1;
  });
  ASSERT_TRUE(signals.wait_for(0));
  const auto cache = open();
  const auto partial = join(*cache);
  EXPECT_EQ(partial->available(0), 70000U);
  EXPECT_EQ(partial->hashed(), 70000U);
  const auto second = partial->begin_download(0);
  ASSERT_THAT(second, IsOk());
  EXPECT_FALSE(second->has_value()) << "the other process is alive";
  signals.raise(1);
  EXPECT_EQ(writer.wait(), 0);
}

TEST_F(ProcessesTest, AWaiterIsWokenByAnotherProcess) {
  const auto cache = open();
  const auto partial = join(*cache);
  auto download = partial->begin_download(0);
  // Not by Partial::wait(), which looks again by itself.
  Child waiter([&] {
    auto fd = open_at(AT_FDCWD, ingest_path(digest_) / "map", O_RDWR);
    const auto map = MapFile::open(fd->get());
    map->wait(map->changes(), std::chrono::seconds(20), MapFile::waiters_of(0, 1));
    return 0;
  });
  const auto fd = open_at(AT_FDCWD, ingest_path(digest_) / "map", O_RDONLY);
  std::uint32_t waiters = 0;
  const auto begun = std::chrono::steady_clock::now();
  while (waiters == 0) ASSERT_EQ(::pread(fd->get(), &waiters, 4, 40), 4);
  ASSERT_THAT((*download)->write(as_bytes(bytes_.substr(0, 10))), IsOkAndHolds(true));
  EXPECT_EQ(waiter.wait(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(19));
}

TEST_F(ProcessesTest, BytesOfATaintedAttemptAreNotToBeBelieved) {
  fault_hook = stop_here;
  Child writer([&] {
    const auto cache = open();
    const auto partial = join(*cache);
    auto download = partial->begin_download(0);
    point_to_stop_at = "chunk.write";
    return (*download)->write(as_bytes(std::string(5000, 'X'))) ? 0 : 2;
  });
  wait_until_stopped(writer);
  const auto cache = open();
  const auto partial = join(*cache);
  EXPECT_FALSE(partial->tainted());
  clock_.pass(kStall);
  auto download = partial->begin_download(0);
  ASSERT_THAT((*download)->write(as_bytes(bytes_.substr(0, kMiB))), IsOkAndHolds(true));
  EXPECT_GE(partial->available(0), kMiB);
  EXPECT_TRUE(partial->tainted());
  // Between the end of the hash and the copy it is still not.
  static Partial* looked_at;
  static bool tainted_at_copy;
  looked_at = partial.get();
  fault_hook = [](const char* point) {
    if (std::string_view(point) == "publish.copy") tainted_at_copy = looked_at->tainted();
  };
  ASSERT_THAT((*download)->write(as_bytes(bytes_.substr(kMiB))), IsOkAndHolds(true));
  EXPECT_TRUE(tainted_at_copy);
  EXPECT_FALSE(partial->tainted());
  EXPECT_FALSE(partial->settled()) << "what was read before may have been changed";
  EXPECT_GE(partial->fd(), 0);
  // The copy is open in this process: it is not evicted.
  ASSERT_THAT(cache->prune(0, Context{}), IsOk());
  EXPECT_TRUE(cache->contains(digest_));
  writer.kill();
}

TEST_F(ProcessesTest, WhatAKilledProcessHeldIsFree) {
  Signals signals;
  Child writer([&] {
    const auto cache = open();
    const auto partial = join(*cache);
    auto download = partial->begin_download(0);
    if (!(*download)->write(as_bytes(bytes_.substr(0, kChunk + 1000)))) return 1;
    signals.raise(0);
    for (;;) ::pause();
  });
  ASSERT_TRUE(signals.wait_for(0));
  writer.kill();
  const auto cache = open();
  const auto partial = join(*cache);
  EXPECT_EQ(partial->hashed(), kChunk + 1000) << "no byte is hashed twice";
  EXPECT_EQ(fill(*partial, bytes_), bytes_.size() - kChunk - 1000) << "nor fetched twice";
  EXPECT_EQ(read_blob(*cache, digest_), bytes_);
}

TEST_F(ProcessesTest, AStoppedDownloaderIsPassedByAfterFiveSeconds) {
  Signals signals;
  Child writer([&] {
    const auto cache = open();
    const auto partial = join(*cache);
    auto download = partial->begin_download(0);
    if (!(*download)->write(as_bytes(bytes_.substr(0, 1000)))) return 1;
    signals.raise(0);
    signals.wait_for(1);
    // Woken: its chunk is another's now, and what it writes goes nowhere.
    const auto late = (*download)->write(as_bytes(std::string(1000, 'X')));
    return late && !*late ? 0 : 2;
  });
  ASSERT_TRUE(signals.wait_for(0));
  writer.stop();
  const auto cache = open();
  const auto partial = join(*cache);
  const auto early = partial->begin_download(0);
  ASSERT_THAT(early, IsOk());
  EXPECT_FALSE(early->has_value());
  clock_.pass(kStall);
  EXPECT_EQ(fill(*partial, bytes_), bytes_.size() - 1000);
  EXPECT_EQ(partial->state(), State::complete);
  signals.raise(1);
  writer.resume();
  EXPECT_EQ(writer.wait(), 0);
  expect_blobs_verified();
}

TEST_F(ProcessesTest, ATricklingDownloaderIsPassedByWhoIsFaster) {
  constexpr std::size_t kDrop = 1000;
  Signals signals;
  Child writer([&] {
    const auto cache = open();
    const auto partial = join(*cache);
    auto download = partial->begin_download(0);
    for (std::size_t at = 0;; at += kDrop) {
      while (static_cast<std::size_t>(signals.number(0)) * kDrop <= at) ::usleep(500);
      const auto more = (*download)->write(as_bytes(bytes_.substr(at, kDrop)));
      if (!more) return 2;
      if (!*more) return 0;
      signals.number(1) += 1;
    }
  });
  const auto drip = [&] {
    const std::int64_t drops = ++signals.number(0);
    for (int i = 0; i < 20000 && signals.number(1) < drops; ++i) ::usleep(1000);
  };
  const auto cache = open();
  const auto partial = join(*cache);
  drip();
  ASSERT_EQ(partial->available(0), kDrop);
  // Somebody who has seen no more than this of it waits; it never stands still.
  for (int second = 0; second < 5; ++second) {
    const auto early = partial->begin_download(0, kUnknownRate);
    ASSERT_THAT(early, IsOk());
    EXPECT_FALSE(early->has_value()) << second;
    clock_.pass(std::chrono::seconds(1));
    drip();
  }
  EXPECT_THAT(partial->begin_download(0), IsOkAndHolds(::testing::Eq(std::nullopt)))
      << "only who asks for it passes by";
  {
    // Who is as slow goes on behind it, and does not take turns with it.
    const auto behind = partial->begin_download(0, 1500);
    ASSERT_THAT(behind, IsOk());
    ASSERT_TRUE(behind->has_value());
    EXPECT_EQ((*behind)->position(), kChunk);
  }
  auto passing = partial->begin_download(0, kUnknownRate);
  ASSERT_THAT(passing, IsOk());
  ASSERT_TRUE(passing->has_value());
  EXPECT_EQ((*passing)->position(), 6 * kDrop) << "no byte twice";
  signals.number(0) += 1;
  EXPECT_EQ(writer.wait(), 0) << "it lost the chunk";
  ASSERT_THAT((*passing)->write(as_bytes(bytes_.substr(6 * kDrop))), IsOkAndHolds(true));
  EXPECT_TRUE(partial->settled()) << "nobody was in the middle of a write";
  expect_blobs_verified();
}

TEST_F(ProcessesTest, WhoFillsAtAnOrdinaryPaceIsWaitedFor) {
  const auto other = open();
  const auto first = join(*other);
  auto download = first->begin_download(0);
  const auto cache = open();
  const auto partial = join(*cache);
  for (std::size_t at = 0; at + kMiB < bytes_.size(); at += kMiB) {
    const auto second = partial->begin_download(0, kUnknownRate);
    ASSERT_THAT(second, IsOk());
    EXPECT_FALSE(second->has_value()) << at;
    ASSERT_THAT((*download)->write(as_bytes(bytes_.substr(at, kMiB))), IsOkAndHolds(true));
    clock_.pass(std::chrono::seconds(1));
  }
}

TEST_F(ProcessesTest, OneStoppedInTheMiddleOfAWriteCannotChangeThePublishedBlob) {
  fault_hook = stop_here;
  Child writer([&] {
    const auto cache = open();
    const auto partial = join(*cache);
    auto download = partial->begin_download(0);
    point_to_stop_at = "chunk.write";  // between taking the step and writing the bytes
    const auto late = (*download)->write(as_bytes(std::string(5000, 'X')));
    return late && !*late ? 0 : 2;
  });
  wait_until_stopped(writer);
  const auto cache = open();
  const auto partial = join(*cache);
  clock_.pass(kStall);
  auto download = partial->begin_download(0);
  ASSERT_THAT(download, IsOk());
  ASSERT_TRUE(download->has_value());
  EXPECT_TRUE(is_tainted());
  ASSERT_THAT((*download)->write(as_bytes(bytes_)), IsOkAndHolds(true));
  EXPECT_EQ(partial->state(), State::complete);
  writer.resume();
  EXPECT_EQ(writer.wait(), 0);
  EXPECT_EQ(read_blob(*cache, digest_), bytes_);
  std::string start(5000, '\0');
  ASSERT_THAT(partial->read(std::as_writable_bytes(std::span(start)), 0), IsOk());
  EXPECT_EQ(start, bytes_.substr(0, 5000)) << "who had it open reads the blob, too";
  expect_blobs_verified();
}

TEST_F(ProcessesTest, AStoppedHasherIsPassedBy) {
  fault_hook = stop_here;
  Child writer([&] {
    const auto cache = open();
    const auto partial = join(*cache);
    auto download = partial->begin_download(0);
    point_to_stop_at = "front.save";
    return (*download)->write(as_bytes(bytes_)) ? 0 : 2;
  });
  wait_until_stopped(writer);
  const auto cache = open();
  const auto partial = join(*cache);
  ASSERT_THAT(partial->advance(Context{}), IsOkAndHolds(0U)) << "the front is held";
  clock_.pass(kStall);
  const std::size_t there = static_cast<std::size_t>(partial->available(0));
  EXPECT_EQ(fill(*partial, bytes_), bytes_.size() - there);
  ASSERT_THAT(partial->advance(Context{}), IsOkAndHolds(bytes_.size()));
  EXPECT_EQ(partial->state(), State::complete);
  writer.resume();
  EXPECT_LE(writer.wait(), 2);
  expect_blobs_verified();
}

TEST_F(ProcessesTest, AStoppedScannerHoldsUpNoMoreThanOneChange) {  // S430
  fault_hook = stop_here;
  const auto cache = open(64 * kMiB);
  Child scanner([&] {
    const auto other = open(64 * kMiB);
    point_to_stop_at = "quota.scan";
    return other->prune(64 * kMiB, Context{}) ? 0 : 2;
  });
  wait_until_stopped(scanner);
  const auto put = [&](const char* text) {
    return std::async(std::launch::async,
                      [&, text] { return cache->put(digest_of(as_bytes(text)), as_bytes(text)); });
  };
  // Else, with a change that waits for ever, the test would.
  const auto ended = [&](const std::future<Result<void>>& change, std::chrono::milliseconds limit) {
    if (change.wait_for(limit) == std::future_status::ready) return true;
    scanner.resume();
    return false;
  };
  const std::uint64_t before = cache->status()->used;
  auto first = put("one");
  EXPECT_EQ(first.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  clock_.pass(kStall);
  ASSERT_TRUE(ended(first, std::chrono::seconds(20)));
  EXPECT_THAT(first.get(), IsOk());
  // The clock stands: whoever waits now waits for ever.
  for (const char* text : {"two", "three"}) {
    auto next = put(text);
    ASSERT_TRUE(ended(next, std::chrono::seconds(20))) << text;
    EXPECT_THAT(next.get(), IsOk());
  }
  const std::uint64_t after = cache->status()->used;
  EXPECT_GT(after, before);
  scanner.resume();
  EXPECT_EQ(scanner.wait(), 0);
  EXPECT_EQ(cache->status()->used, after) << "what it counted is not believed";
  EXPECT_GE(after, disk_usage(folder()));
  // Nobody scans any more: this change has the lock again, and keeps scans out.
  EXPECT_THAT(put("four").get(), IsOk());
  Child waited([&] {
    const auto other = open(64 * kMiB);
    point_to_stop_at = "quota.scan";
    return other->prune(64 * kMiB, Context{}) ? 0 : 2;
  });
  wait_until_stopped(waited);
  auto last = put("five");
  EXPECT_EQ(last.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout)
      << "another scan is waited for";
  waited.resume();
  EXPECT_THAT(last.get(), IsOk());
  EXPECT_EQ(waited.wait(), 0);
}

TEST_F(ProcessesTest, WrongBytesFailTheAttemptInEveryProcess) {
  Signals signals;
  Child reader([&] {
    const auto cache = open();
    const auto partial = join(*cache);
    signals.raise(0);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (partial->state() == State::filling && std::chrono::steady_clock::now() < deadline) {
      partial->wait(partial->changes(), std::chrono::seconds(1), Context{});
    }
    std::byte out{};
    const auto read = partial->read(std::span(&out, 1), 0);
    return partial->state() == State::failed && !read ? 0 : 1;
  });
  ASSERT_TRUE(signals.wait_for(0));
  const auto cache = open();
  const auto partial = join(*cache);
  std::string wrong = bytes_;
  wrong.back() ^= 1;
  auto download = partial->begin_download(0);
  EXPECT_THAT((*download)->write(as_bytes(wrong)), HasCode(Errc::digest_mismatch));
  EXPECT_EQ(reader.wait(), 0);
  EXPECT_FALSE(cache->contains(digest_));
  const auto next = join(*cache);
  EXPECT_NE(next->attempt(), partial->attempt());
  EXPECT_EQ(fill(*next, bytes_), bytes_.size());
}

TEST_F(ProcessesTest, AKilledReaderDisturbsNobody) {
  Signals signals;
  Child reader([&] {
    const auto cache = open();
    const auto partial = join(*cache);
    signals.raise(0);
    for (;;) partial->wait(partial->changes(), std::chrono::seconds(1), Context{});
    return 0;
  });
  ASSERT_TRUE(signals.wait_for(0));
  const auto cache = open();
  const auto partial = join(*cache);
  auto download = partial->begin_download(0);
  ASSERT_THAT((*download)->write(as_bytes(bytes_.substr(0, kChunk))), IsOk());
  reader.kill();
  ASSERT_THAT((*download)->write(as_bytes(bytes_.substr(kChunk))), IsOkAndHolds(true));
  EXPECT_EQ(partial->state(), State::complete);
}

TEST_F(ProcessesTest, AProcessKilledBetweenLinkingAndSayingSoLeavesTheBlobComplete) {
  for (const char* point : {"publish.closed", "publish.rename", "publish.linked"}) {
    static const char* kill_at;
    kill_at = point;
    fault_hook = [](const char* here) {
      if (std::string_view(here) == kill_at) ::raise(SIGKILL);
    };
    Child writer([&] {
      const auto cache = open();
      fill(*join(*cache), bytes_);
      return 0;
    });
    EXPECT_EQ(writer.wait(), 128 + SIGKILL) << point;
    fault_hook = nullptr;
    const auto cache = open();
    auto partial = join(*cache);
    EXPECT_THAT(partial->advance(Context{}), IsOkAndHolds(bytes_.size())) << point;
    EXPECT_EQ(partial->state(), State::complete) << point;
    EXPECT_EQ(read_blob(*cache, digest_), bytes_) << point;
    partial.reset();  // what is open stays
    ASSERT_THAT(cache->prune(0, Context{}), IsOk());
  }
}

}  // namespace
}  // namespace berth::cache::test
