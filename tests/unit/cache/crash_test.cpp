// SPDX-License-Identifier: Apache-2.0
// DESIGN section 4: what is left when a process, or the machine, ends at any instant.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>
#include <vector>

#include "cache/fault_point.hpp"
#include "cache/ingest.hpp"
#include "unit/cache/crash_fixture.hpp"

namespace berth::cache::test {
namespace {

TEST_F(CrashTest, TwoHundredKillsLeaveNoUnverifiedBlob) {
  constexpr int kKills = 200;
  constexpr unsigned kBlobs = 6;
  // Small and of several chunks; some of the registry's answers lie.
  const auto bytes_of = [](unsigned i) { return content(i % 2 == 0 ? 30000 : 4 * kMiB + 5000, i); };
  std::vector<std::string> blobs;
  std::vector<Digest> digests;
  for (unsigned i = 0; i < kBlobs; ++i) {
    blobs.push_back(bytes_of(i));
    digests.push_back(digest_of(as_bytes(blobs.back())));
  }
  std::mt19937 random(42);
  int killed = 0;
  for (int round = 0; round < kKills; ++round) {
    const unsigned seed = static_cast<unsigned>(random());
    Child child([&] {
      std::mt19937 choice(seed);
      const auto cache = open(64 * kMiB);
      for (;;) {
        const unsigned i = static_cast<unsigned>(choice() % kBlobs);
        std::string bytes = blobs[i];
        if (choice() % 4 == 0) bytes[choice() % bytes.size()] ^= 1;
        if (choice() % 5 == 0) static_cast<void>(cache->prune(kMiB, Context{}));
        if (choice() % 40 == 0) static_cast<void>(cache->sync());
        if (i % 3 == 0) {
          static_cast<void>(cache->put(digests[i], as_bytes(bytes)));
        } else if (auto partial = cache->join(digests[i], bytes.size())) {
          fill(**partial, bytes, 16 * 1024);
        }
      }
      return 0;
    });
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 15000));
    child.kill();
    ++killed;
    if (round % 20 == 19) expect_blobs_verified();
  }
  EXPECT_EQ(killed, kKills);
  expect_blobs_verified();
  // And all that is left can be taken up.
  const auto cache = open(64 * kMiB);
  for (unsigned i = 0; i < kBlobs; ++i) {
    const auto partial = join(*cache, digests[i], blobs[i]);
    if (fill_to_end(*partial, blobs[i]) == State::failed) {
      // What the lying answer left was found out; the next attempt begins with nothing.
      fill_to_end(*join(*cache, digests[i], blobs[i]), blobs[i]);
    }
    EXPECT_EQ(read_blob(*cache, digests[i]), blobs[i]);
  }
  EXPECT_THAT(cache->status(), IsOk());
  const auto used = cache->status()->used;
  EXPECT_GE(used + 4096, disk_usage(folder())) << "the count is never too low";
}

TEST_F(CrashTest, WhatWasSyncedIsTrustedAfterTheMachinesEnd) {
  const Digest digest = digest_of(as_bytes("synced"));
  {
    const auto cache = open();
    ASSERT_THAT(cache->put(digest, as_bytes("synced")), IsOk());
    // The coarse clock of the file system must have moved on before the sync point.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ASSERT_THAT(cache->sync(), IsOk());
    EXPECT_FALSE(std::filesystem::exists(folder() / "journal"));
  }
  end_machine("boot-2");
  const auto cache = open();
  const auto blob = cache->find(digest, Context{}.nonblocking());
  ASSERT_THAT(blob, IsOk());
  ASSERT_TRUE(blob->has_value());
  EXPECT_FALSE(std::filesystem::exists(folder() / "journal")) << "it was not hashed again";
}

TEST_F(CrashTest, AnotherNameThatComesAndGoesCostsNoTrust) {
  const Digest digest = digest_of(as_bytes("shared"));
  {
    const auto cache = open();
    ASSERT_THAT(cache->put(digest, as_bytes("shared")), IsOk());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ASSERT_THAT(cache->sync(), IsOk());
  }
  end_machine("boot-2");
  const auto cache = open();
  std::filesystem::create_hard_link(blob_path(digest), dir_ / "layout");
  std::filesystem::remove(dir_ / "layout");
  const auto blob = cache->find(digest, Context{}.nonblocking());
  ASSERT_THAT(blob, IsOk());
  EXPECT_TRUE(blob->has_value());
}

TEST_F(CrashTest, WhatWasNotSyncedIsHashedAgainAfterTheMachinesEnd) {
  const std::string bytes = content(9 * kMiB, 5);
  const Digest good = digest_of(as_bytes(bytes));
  const std::string other = content(9 * kMiB, 6);
  const Digest bad = digest_of(as_bytes(other));
  {
    const auto cache = open();
    fill(*join(*cache, good, bytes), bytes);
    fill(*join(*cache, bad, other), other);
  }
  std::string lost = other;
  lost.replace(5 * kMiB, 4096, std::string(4096, '\0'));  // a page that never reached the disk
  overwrite(bad, lost);
  end_machine("boot-2");
  const auto cache = open();
  EXPECT_EQ(read_blob(*cache, good), bytes);
  const auto found = cache->find(bad);
  ASSERT_THAT(found, IsOk());
  EXPECT_FALSE(found->has_value());
  expect_blobs_verified();
}

TEST_F(CrashTest, WhoMustNotWaitDoesNotHashAgain) {
  const Digest digest = digest_of(as_bytes("not synced"));
  ASSERT_THAT(open()->put(digest, as_bytes("not synced")), IsOk());
  end_machine("boot-2");
  const auto cache = open();
  const Context now = Context{}.nonblocking();
  EXPECT_THAT(cache->find(digest, now), HasCode(Errc::would_block));
  EXPECT_THAT(cache->get(digest, 100, now), HasCode(Errc::would_block));
  EXPECT_THAT(cache->join(digest, 10, now), HasCode(Errc::would_block));
  EXPECT_THAT(cache->get(digest, 100), IsOk());
  EXPECT_THAT(cache->get(digest, 100, now), IsOkAndHolds("not synced"));
}

TEST_F(CrashTest, ABlobIsHashedAgainOnceHoweverManyAsk) {
  const std::string bytes = content(9 * kMiB, 5);
  const Digest digest = digest_of(as_bytes(bytes));
  ASSERT_THAT(open()->put(digest, as_bytes(bytes)), IsOk());
  end_machine("boot-2");
  const auto cache = open();
  static std::atomic<int> hashed;
  hashed = 0;
  fault_hook = [](const char* point) { hashed += std::string_view(point) == "blob.hash" ? 1 : 0; };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        const auto found = cache->find(digest);
        EXPECT_TRUE(found && found->has_value());
      });
    }
  }
  fault_hook = nullptr;
  EXPECT_EQ(hashed, 1);
}

TEST_F(CrashTest, ASyncPointOfTheNextBootDoesNotCoverTheLast) {
  const std::string bytes = content(9 * kMiB, 6);
  const Digest digest = digest_of(as_bytes(bytes));
  {
    const auto cache = open();
    fill(*join(*cache, digest, bytes), bytes);
  }
  std::filesystem::remove(folder() / "journal");  // lost with the machine, as the pages were
  overwrite(digest, std::string(bytes.size(), '\0'));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  end_machine("boot-2");
  const auto cache = open();
  const Digest small = digest_of(as_bytes("small"));
  ASSERT_THAT(cache->put(small, as_bytes("small")), IsOk());
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_THAT(cache->sync(), IsOk());
  const auto found = cache->find(digest);
  ASSERT_THAT(found, IsOk());
  EXPECT_FALSE(found->has_value());
}

TEST_F(CrashTest, APartialBlobCountsUpToItsLastSyncPoint) {
  const std::string bytes = content(13 * kMiB, 8);
  const Digest digest = digest_of(as_bytes(bytes));
  kill_downloading(digest, bytes, [&](Cache& cache, auto& download) {
    static_cast<void>(download.write(as_bytes(bytes.substr(0, 6 * kMiB))));
    static_cast<void>(cache.sync_data());
    static_cast<void>(download.write(as_bytes(bytes.substr(6 * kMiB, 3 * kMiB))));
  });
  end_machine("boot-2");
  const auto cache = open();
  const auto partial = join(*cache, digest, bytes);
  EXPECT_EQ(partial->available(0), 6 * kMiB);
  EXPECT_EQ(partial->hashed(), 6 * kMiB);
  EXPECT_EQ(fill(*partial, bytes), 7 * kMiB);
  EXPECT_EQ(read_blob(*cache, digest), bytes);
}

TEST_F(CrashTest, SeveralProcessesTakeUpWhatTheMachineLeft) {
  const std::string bytes = content(9 * kMiB, 8);
  const Digest digest = digest_of(as_bytes(bytes));
  leave_unsynced(digest, bytes, 6 * kMiB);
  ASSERT_THAT(open()->sync_data(), IsOk());
  end_machine("boot-2");
  Signals signals;
  const auto work = [&] {
    const auto cache = open();
    if (!signals.wait_for(0)) return 1;
    const auto partial = join(*cache, digest, bytes);
    if (partial->available(0) < 6 * kMiB) return 2;
    std::size_t written = 0;
    if (fill_to_end(*partial, bytes, &written) != State::complete) return 3;
    signals.number(1) += static_cast<std::int64_t>(written);
    return read_blob(*cache, digest) == bytes ? 0 : 4;
  };
  {
    Child a(work);
    Child b(work);
    Child c(work);
    signals.raise(0);
    EXPECT_EQ(a.wait(), 0);
    EXPECT_EQ(b.wait(), 0);
    EXPECT_EQ(c.wait(), 0);
  }
  EXPECT_EQ(signals.number(1), static_cast<std::int64_t>(3 * kMiB)) << "no byte twice";
}

TEST_F(CrashTest, AProcessKilledWhileItRecoversLeavesItToTheNext) {
  const std::string bytes = content(9 * kMiB, 8);
  const Digest digest = digest_of(as_bytes(bytes));
  leave_unsynced(digest, bytes, 6 * kMiB);
  ASSERT_THAT(open()->sync_data(), IsOk());
  end_machine("boot-2");
  fault_hook = [](const char* point) {
    if (std::string_view(point) == "ingest.recover") ::raise(SIGKILL);
  };
  Child killed([&] {
    join(*open(), digest, bytes);
    return 0;
  });
  EXPECT_EQ(killed.wait(), 128 + SIGKILL);
  fault_hook = nullptr;
  const auto cache = open();
  EXPECT_EQ(join(*cache, digest, bytes)->available(0), 6 * kMiB);
}

TEST_F(CrashTest, APartialBlobWithoutASyncPointBeginsAnewAfterTheMachinesEnd) {
  const std::string bytes = content(5 * kMiB, 8);
  const Digest digest = digest_of(as_bytes(bytes));
  const std::uint64_t attempt = leave_unsynced(digest, bytes, kMiB);
  end_machine("boot-2");
  const auto cache = open();
  const auto partial = join(*cache, digest, bytes);
  EXPECT_EQ(partial->available(0), 0U);
  EXPECT_NE(partial->attempt(), attempt);
  EXPECT_EQ(fill(*partial, bytes), bytes.size());
}

TEST_F(CrashTest, ABrokenRecordOfASyncPointIsNotBelieved) {
  const std::string bytes = content(5 * kMiB, 8);
  const Digest digest = digest_of(as_bytes(bytes));
  {
    const auto cache = open();
    const auto partial = join(*cache, digest, bytes);
    auto download = partial->begin_download(0);
    static_cast<void>((*download)->write(as_bytes(bytes.substr(0, kMiB))));
    ASSERT_THAT(cache->sync(), IsOk());
  }
  std::fstream record(ingest_path(digest) / "synced",
                      std::ios::binary | std::ios::in | std::ios::out);
  ASSERT_TRUE(record.is_open());
  record.seekp(40);
  record.put('!');
  record.close();
  end_machine("boot-2");
  const auto cache = open();
  EXPECT_EQ(join(*cache, digest, bytes)->available(0), 0U);
}

TEST_F(CrashTest, AProcessKilledAnywhereLeavesNothingWrong) {
  const std::string bytes = content(5 * kMiB, 3);
  const Digest digest = digest_of(as_bytes(bytes));
  const Digest small = digest_of(as_bytes("small"));
  static const char* kill_at;
  for (const char* point :
       {"chunk.write", "chunk.written", "front.save", "ingest.rename", "ingest.trash",
        "publish.closed", "publish.rename", "publish.linked", "put.link", "journal.renamed",
        "journal.flushed", "partial.synced", "evict.locked"}) {
    kill_at = point;
    fault_hook = [](const char* here) {
      if (std::string_view(here) == kill_at) ::raise(SIGKILL);
    };
    Child child([&] {
      const auto cache = open(64 * kMiB);
      {
        const auto partial = join(*cache, digest, bytes);
        auto download = partial->begin_download(0);
        static_cast<void>((*download)->write(as_bytes(bytes.substr(0, kMiB))));
        static_cast<void>(cache->sync_data());
        static_cast<void>((*download)->write(as_bytes(bytes.substr(kMiB))));
      }
      static_cast<void>(cache->put(small, as_bytes("small")));
      static_cast<void>(cache->sync());
      static_cast<void>(cache->prune(0, Context{}));
      return 0;
    });
    EXPECT_EQ(child.wait(), 128 + SIGKILL) << point << " is passed";
    fault_hook = nullptr;
    expect_blobs_verified();
    const auto cache = open(64 * kMiB);
    EXPECT_GE(cache->status()->used + 4096, disk_usage(folder())) << point;
    const auto partial = join(*cache, digest, bytes);
    EXPECT_EQ(fill_to_end(*partial, bytes), State::complete) << point;
    EXPECT_EQ(read_blob(*cache, digest), bytes) << point;
    EXPECT_THAT(cache->put(small, as_bytes("small")), IsOk()) << point;
    EXPECT_EQ(read_blob(*cache, small), "small") << point;
    std::filesystem::remove_all(folder());
  }
}

TEST_F(CrashTest, ALostStateOrRecencyIsMadeAgain) {
  const std::string bytes = content(9 * kMiB, 8);
  const Digest digest = digest_of(as_bytes(bytes));
  const Digest older = digest_of(as_bytes("older"));
  {
    const auto cache = open(64 * kMiB);
    ASSERT_THAT(cache->put(older, as_bytes("older")), IsOk());
    // The coarse clock of the file system must have moved on in between.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    fill(*join(*cache, digest, bytes), bytes);
  }
  std::filesystem::remove(folder() / "state");
  std::filesystem::remove(folder() / "recency");
  const auto cache = open(64 * kMiB);
  EXPECT_GE(cache->status()->used, disk_usage(folder())) << "counted by a scan";
  EXPECT_LT(cache->status()->used, disk_usage(folder()) + 64 * 1024);
  EXPECT_TRUE(std::filesystem::exists(folder() / "recency"));
  ASSERT_THAT(cache->prune(cache->status()->used - 1, Context{}), IsOk());
  EXPECT_FALSE(cache->contains(older)) << "by the files' own times it goes first";
  EXPECT_EQ(read_blob(*cache, digest), bytes);
}

TEST_F(CrashTest, LinesOfAnotherBootOutliveASyncPoint) {
  const Digest old = digest_of(as_bytes("old"));
  ASSERT_THAT(open()->put(old, as_bytes("old")), IsOk());
  overwrite(old, "OLD");
  end_machine("boot-2");
  const auto cache = open();
  ASSERT_THAT(cache->put(digest_of(as_bytes("new")), as_bytes("new")), IsOk());
  ASSERT_THAT(cache->sync(), IsOk());
  std::ostringstream journal;
  journal << std::ifstream(folder() / "journal").rdbuf();
  EXPECT_EQ(journal.str(), "boot-1 " + old.text() + "\n");
  const auto found = cache->find(old);
  ASSERT_THAT(found, IsOk());
  EXPECT_FALSE(found->has_value()) << "hashed, and wrong";
}

TEST_F(CrashTest, WhatAKilledProcessLeftUnderNoNameIsCleanedUp) {
  open();
  ASSERT_TRUE(std::filesystem::create_directories(folder() / "ingest" / ".new-1-2-3"));
  std::ofstream(folder() / "ingest" / ".new-1-2-3" / "data") << "left";
  open();
  EXPECT_TRUE(std::filesystem::is_empty(folder() / "ingest"));
}

}  // namespace
}  // namespace berth::cache::test
