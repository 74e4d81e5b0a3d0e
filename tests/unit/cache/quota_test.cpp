// SPDX-License-Identifier: Apache-2.0
// DESIGN section 4: the quota is never passed; what is open stays; the least recently used goes.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "cache/fault_point.hpp"
#include "unit/cache/cache_fixture.hpp"

namespace berth::cache::test {
namespace {

class QuotaTest : public CacheTest {
 protected:
  Digest put(Cache& cache, const std::string& bytes) {
    const Digest digest = digest_of(as_bytes(bytes));
    EXPECT_THAT(cache.put(digest, as_bytes(bytes)), IsOk());
    clock_.pass(std::chrono::seconds(1));
    return digest;
  }
};

TEST_F(QuotaTest, CountsAllocatedBlocksOfEverything) {
  const auto cache = open(64 * kMiB);
  put(*cache, content(100'000, 1));
  const std::string bytes = content(9 * kMiB, 2);
  const auto partial = cache->join(digest_of(as_bytes(bytes)), bytes.size());
  auto download = (*partial)->begin_download(0);
  ASSERT_THAT((*download)->write(as_bytes(bytes.substr(0, 5 * kMiB))), IsOk());
  cache->remembered().set_list("r", "a", {std::string(20'000, 'x')});
  const auto status = cache->status();
  ASSERT_THAT(status, IsOk());
  EXPECT_GE(status->used, disk_usage(folder()));
  EXPECT_LT(status->used, disk_usage(folder()) + 256 * 1024);
  EXPECT_EQ(status->blobs, 1U);
  EXPECT_EQ(status->partial, 1U);
}

TEST_F(QuotaTest, TheLeastRecentlyUsedGoesFirst) {
  const auto cache = open(16 * kMiB);
  std::vector<Digest> digests;
  for (unsigned i = 0; i < 4; ++i) digests.push_back(put(*cache, content(3 * kMiB, i)));
  EXPECT_EQ(read_blob(*cache, digests[0]).size(), 3 * kMiB);  // used again
  put(*cache, content(5 * kMiB, 9));
  EXPECT_TRUE(cache->contains(digests[0]));
  EXPECT_FALSE(cache->contains(digests[1]));
  EXPECT_TRUE(cache->contains(digests[3])) << "no more went than was needed";
  EXPECT_LE(disk_usage(folder()), 16 * kMiB);
}

TEST_F(QuotaTest, WhatIsOpenStays) {
  const auto cache = open(16 * kMiB);
  const std::string bytes = content(7 * kMiB, 1);
  const Digest digest = put(*cache, bytes);
  auto held = cache->find(digest);
  ASSERT_THAT(held, IsOk());
  put(*cache, content(7 * kMiB, 2));
  put(*cache, content(7 * kMiB, 3));
  EXPECT_TRUE(cache->contains(digest));
  const std::string large = content(10 * kMiB, 4);
  EXPECT_THAT(cache->put(digest_of(as_bytes(large)), as_bytes(large)), HasCode(Errc::no_space));
  EXPECT_TRUE(cache->contains(digest));
  *held = std::nullopt;
  EXPECT_THAT(cache->put(digest_of(as_bytes(large)), as_bytes(large)), IsOk());
  EXPECT_FALSE(cache->contains(digest));
}

TEST_F(QuotaTest, WhatWasJustFetchedAndIsOpenStays) {
  const auto cache = open(16 * kMiB);
  const std::string bytes = content(7 * kMiB, 1);
  const Digest digest = digest_of(as_bytes(bytes));
  auto partial = cache->join(digest, bytes.size());
  fill(**partial, bytes);
  ASSERT_EQ((*partial)->state(), State::complete);
  const std::string large = content(10 * kMiB, 4);
  EXPECT_THAT(cache->put(digest_of(as_bytes(large)), as_bytes(large)), HasCode(Errc::no_space));
  EXPECT_TRUE(cache->contains(digest));
  partial->reset();
  EXPECT_THAT(cache->put(digest_of(as_bytes(large)), as_bytes(large)), IsOk());
  EXPECT_FALSE(cache->contains(digest));
}

TEST_F(QuotaTest, WhatCannotBeLinkedLosesNoRoom) {
  const auto cache = open(64 * kMiB);
  const std::string bytes = content(5 * kMiB, 1);
  const Digest digest = digest_of(as_bytes(bytes));
  const auto partial = cache->join(digest, bytes.size());
  std::filesystem::remove(folder() / "blobs/sha256");
  std::filesystem::create_symlink("sha256", folder() / "blobs/sha256");  // leads round in a circle
  fill(**partial, bytes);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE((*partial)->advance(Context{}));
  ASSERT_EQ((*partial)->state(), State::filling);
  EXPECT_GE(cache->status()->used, disk_usage(folder() / "ingest"));
  std::filesystem::remove(folder() / "blobs/sha256");
  std::filesystem::create_directory(folder() / "blobs/sha256");
  EXPECT_THAT((*partial)->advance(Context{}), IsOkAndHolds(bytes.size()));
  EXPECT_GE(cache->status()->used, disk_usage(folder()));
}

TEST_F(QuotaTest, APartialBlobThatNobodyHasGoes) {
  const auto cache = open(16 * kMiB);
  const std::string bytes = content(9 * kMiB, 1);
  const Digest digest = digest_of(as_bytes(bytes));
  {
    const auto partial = cache->join(digest, bytes.size());
    auto download = (*partial)->begin_download(0);
    ASSERT_THAT((*download)->write(as_bytes(bytes.substr(0, 8 * kMiB))), IsOk());
    const std::string large = content(12 * kMiB, 4);
    EXPECT_THAT(cache->put(digest_of(as_bytes(large)), as_bytes(large)), HasCode(Errc::no_space));
    EXPECT_EQ((*partial)->state(), State::filling) << "joined: it stays";
  }
  put(*cache, content(12 * kMiB, 4));
  EXPECT_FALSE(std::filesystem::exists(ingest_path(digest)));
}

TEST_F(QuotaTest, NoSpaceIsSaidBeforeAByteIsWritten) {
  const auto cache = open(16 * kMiB);
  const auto held = cache->find(put(*cache, content(9 * kMiB, 2)));
  const std::string bytes = content(12 * kMiB, 1);
  const auto partial = cache->join(digest_of(as_bytes(bytes)), bytes.size());
  ASSERT_THAT(partial, IsOk());
  auto download = (*partial)->begin_download(0);
  ASSERT_THAT(download, IsOk());
  EXPECT_THAT((*download)->write(as_bytes(bytes)), HasCode(Errc::no_space));
  EXPECT_EQ((*download)->position(), kChunk) << "whole chunks, or nothing of them";
  EXPECT_EQ((*partial)->available(0), kChunk);
  EXPECT_EQ((*partial)->state(), State::filling);
  EXPECT_LE(disk_usage(folder()), 16 * kMiB);
}

TEST_F(QuotaTest, WhatCanNeverFitEvictsNothing) {
  const auto cache = open(8 * kMiB);
  const Digest kept = put(*cache, content(kMiB, 1));
  EXPECT_THAT(cache->join(digest_of(as_bytes("large")), 9 * kMiB), HasCode(Errc::no_space));
  const std::string bytes = content(9 * kMiB, 2);
  EXPECT_THAT(cache->put(digest_of(as_bytes(bytes)), as_bytes(bytes)), HasCode(Errc::no_space));
  EXPECT_TRUE(cache->contains(kept));
}

TEST_F(QuotaTest, NearTheLimitABlobFitsOrEvictsNothing) {  // S433
  constexpr std::uint64_t kLimit = 12 * kMiB;
  const std::string bytes = content(kLimit, 1);
  const std::string other = content(kMiB, 2);
  bool fitted = false;
  bool refused = false;
  for (std::uint64_t size = kLimit - kMiB; size <= kLimit; size += 32 * 1024) {
    const auto cache = open(kLimit);
    const Digest kept = put(*cache, other);
    const std::string large = bytes.substr(0, static_cast<std::size_t>(size));
    const auto partial = cache->join(digest_of(as_bytes(large)), size);
    if (!partial) {
      refused = true;
      EXPECT_THAT(partial, HasCode(Errc::no_space)) << size;
      EXPECT_TRUE(cache->contains(kept)) << size << ": evicted for nothing";
    } else {
      fitted = true;
      EXPECT_FALSE(refused) << size;
      fill(**partial, large, kMiB);
      EXPECT_EQ((*partial)->state(), State::complete) << size << ": all was evicted for nothing";
    }
    std::filesystem::remove_all(folder());
  }
  EXPECT_TRUE(fitted);
  EXPECT_TRUE(refused);
}

TEST_F(QuotaTest, WhatIsPutAndCannotFitEvictsNothing) {  // S433
  constexpr std::uint64_t kLimit = 8 * kMiB;
  const auto cache = open(kLimit);
  const Digest kept = put(*cache, content(kMiB, 1));
  const std::string bytes = content(kLimit - 100'000, 2);  // below the limit, beyond what is usable
  EXPECT_THAT(cache->put(digest_of(as_bytes(bytes)), as_bytes(bytes)), HasCode(Errc::no_space));
  EXPECT_TRUE(cache->contains(kept));
}

TEST_F(QuotaTest, ALostStateMakesTheLimitThatNobodyChoseNoSmaller) {  // S432
  free_space_hook = [] { return std::uint64_t{kMiB}; };
  for (const bool is_empty : {false, true}) {
    std::vector<Digest> digests;
    {
      const auto cache = open(64 * kMiB);
      for (unsigned i = 0; i < 6; ++i) digests.push_back(put(*cache, content(2 * kMiB, i)));
    }
    std::filesystem::remove(folder() / "state");
    if (is_empty) std::ofstream(folder() / "state");
    const auto cache = open();
    EXPECT_GT(cache->limit(), 11 * kMiB) << "90 % of 12 MiB that it holds and 1 MiB that is free";
    EXPECT_LT(cache->limit(), 12 * kMiB);
    EXPECT_THAT(cache->put(digest_of(as_bytes("more")), as_bytes("more")), IsOk());
    int left = 0;
    for (const Digest& digest : digests) left += cache->contains(digest) ? 1 : 0;
    EXPECT_EQ(left, 5) << "one goes, for the part of the disk that stays free";
    std::filesystem::remove_all(folder());
  }
  free_space_hook = nullptr;
}

TEST_F(QuotaTest, FourProcessesNeverPassItTogether) {
  constexpr std::uint64_t kLimit = 24 * kMiB;
  open(kLimit);
  Signals signals;
  const auto work = [&](unsigned seed) {
    return [&, seed] {
      const auto cache = open(kLimit);
      int stored = 0;
      for (unsigned i = 0; i < 25; ++i) {
        const std::string bytes = content(i % 3 == 0 ? 5 * kMiB : 700'000, seed * 1000 + i);
        const Digest digest = digest_of(as_bytes(bytes));
        if (i % 2 == 0) {
          stored += cache->put(digest, as_bytes(bytes)) ? 1 : 0;
        } else if (auto partial = cache->join(digest, bytes.size())) {
          fill(**partial, bytes);
          stored += (*partial)->state() == State::complete ? 1 : 0;
        }
        cache->remembered().set_list("r", "a" + std::to_string(i), {std::string(9000, 'n')});
      }
      signals.raise(static_cast<int>(seed));
      return stored > 10 ? 0 : 1;
    };
  };
  Child a(work(1));
  Child b(work(2));
  Child c(work(3));
  Child d(work(4));
  std::uint64_t most = 0;
  while (!(signals.is_raised(1) && signals.is_raised(2) && signals.is_raised(3) &&
           signals.is_raised(4))) {
    // A walk over files that move meanwhile would count some twice.
    const std::array<Child*, 4> children{&a, &b, &c, &d};
    for (Child* child : children) child->stop();
    most = std::max(most, disk_usage(folder()));
    for (Child* child : children) child->resume();
    if (most > kLimit) break;
  }
  EXPECT_EQ(a.wait(), 0);
  EXPECT_EQ(b.wait(), 0);
  EXPECT_EQ(c.wait(), 0);
  EXPECT_EQ(d.wait(), 0);
  EXPECT_LE(most, kLimit);
  EXPECT_GT(most, kLimit / 2) << "the test filled the cache";
  expect_blobs_verified();
  const auto cache = open(kLimit);
  const auto used = cache->status()->used;
  EXPECT_GE(used, disk_usage(folder()));
}

TEST_F(QuotaTest, TheCountIsMadeAgainWhenAProcessWasKilled) {
  {
    const auto cache = open(64 * kMiB);
    put(*cache, content(kMiB, 1));
  }
  Child child([&] {
    const auto cache = open(64 * kMiB);
    std::ofstream(folder() / "layers" / "index") << std::string(300'000, 'i');
    ::_exit(0);  // without closing: what it did is not in the count
    return 0;
  });
  child.wait();
  const auto cache = open(64 * kMiB);
  EXPECT_GE(cache->status()->used, kMiB + 300'000);
  EXPECT_LT(cache->status()->used, disk_usage(folder()) + 64 * 1024);
}

TEST_F(QuotaTest, PruneAndALowerLimitEvict) {
  const auto cache = open();
  for (unsigned i = 0; i < 5; ++i) put(*cache, content(kMiB, i));
  const auto freed = cache->prune(3 * kMiB, Context{});
  ASSERT_THAT(freed, IsOk());
  EXPECT_GE(*freed, 2 * kMiB);
  EXPECT_LE(cache->status()->used, 3 * kMiB);
  ASSERT_THAT(cache->set_limit(2 * kMiB, Context{}), IsOk());
  EXPECT_LE(disk_usage(folder()), 2 * kMiB);
  EXPECT_EQ(open()->limit(), 2 * kMiB) << "written down for all processes";
}

/// A file system of 16 MiB of its own, in a mount namespace of its own; only in a child.
bool mount_small_disk(const std::filesystem::path& place) {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, "") == 0 &&
         ::mount("tmpfs", place.c_str(), "tmpfs", 0, "size=16m,mode=0700") == 0;
}

TEST_F(QuotaTest, AFullDiskIsNoSpaceAndLosesNoByte) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting a small file system needs root";
  ASSERT_EQ(::mkdir(folder().c_str(), 0700), 0);
  constexpr int kCannotMount = 77;
  Child child([&] {
    if (!mount_small_disk(folder())) return kCannotMount;
    const auto cache = open(1024 * kMiB);
    if (!cache) return 1;
    const std::string kept = content(kMiB, 1);
    const Digest kept_digest = digest_of(as_bytes(kept));
    if (!cache->put(kept_digest, as_bytes(kept))) return 2;
    const auto held = cache->find(kept_digest);
    const std::string bytes = content(40 * kMiB, 2);
    const Digest digest = digest_of(as_bytes(bytes));
    const auto partial = cache->join(digest, bytes.size());
    if (!partial) return 3;
    auto download = (*partial)->begin_download(0);
    const auto written = (*download)->write(as_bytes(bytes));
    if (written || written.error().code() != Errc::no_space) return 4;
    const std::uint64_t there = (*partial)->available(0);
    if (there == 0 || there != (*download)->position()) return 5;
    std::string out(static_cast<std::size_t>(there), '\0');
    if (!(*partial)->read(std::as_writable_bytes(std::span(out)), 0)) return 6;
    if (out != bytes.substr(0, out.size())) return 7;
    if (cache->put(digest_of(as_bytes(content(8 * kMiB, 3))), as_bytes(content(8 * kMiB, 3)))) {
      return 8;
    }
    if (read_blob(*cache, kept_digest) != kept) return 9;
    // Room again: the same partial blob goes on.
    if (::mount("tmpfs", folder().c_str(), "tmpfs", MS_REMOUNT, "size=64m,mode=0700") != 0) {
      return 10;
    }
    download->reset();
    if (fill(**partial, bytes) != bytes.size() - there) return 11;
    return (*partial)->state() == State::complete && read_blob(*cache, digest) == bytes ? 0 : 12;
  });
  const int status = child.wait();
  if (status == kCannotMount) GTEST_SKIP() << "this machine lets nobody mount a tmpfs";
  EXPECT_EQ(status, 0);
}

TEST_F(QuotaTest, AFullDiskGivesUpOlderBlobsFirst) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting a small file system needs root";
  ASSERT_EQ(::mkdir(folder().c_str(), 0700), 0);
  constexpr int kCannotMount = 77;
  Child child([&] {
    if (!mount_small_disk(folder())) return kCannotMount;
    const auto cache = open(1024 * kMiB);
    for (unsigned i = 0; i < 3; ++i) put(*cache, content(4 * kMiB, i));
    const std::string bytes = content(7 * kMiB, 9);
    const auto partial = cache->join(digest_of(as_bytes(bytes)), bytes.size());
    if (!partial) return 1;
    fill(**partial, bytes);
    return (*partial)->state() == State::complete ? 0 : 2;
  });
  const int status = child.wait();
  if (status == kCannotMount) GTEST_SKIP() << "this machine lets nobody mount a tmpfs";
  EXPECT_EQ(status, 0);
}

TEST_F(QuotaTest, AReadOnlyFolderIsReadAndNothingIsAdded) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting read-only needs root";
  ASSERT_EQ(::mkdir(folder().c_str(), 0700), 0);
  constexpr int kCannotMount = 77;
  Child child([&] {
    if (!mount_small_disk(folder())) return kCannotMount;
    const std::string bytes = content(100'000, 1);
    const Digest digest = digest_of(as_bytes(bytes));
    {
      const auto cache = open();
      if (!cache || !cache->put(digest, as_bytes(bytes))) return 1;
    }
    if (::mount("tmpfs", folder().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "") != 0) return 2;
    const auto cache = open();
    if (!cache) return 3;
    if (read_blob(*cache, digest) != bytes) return 4;
    const auto put = cache->put(digest_of(as_bytes("x")), as_bytes("x"));
    if (put || put.error().code() != Errc::denied) return 5;
    const auto joined = cache->join(digest_of(as_bytes("y")), 1);
    if (joined || joined.error().code() != Errc::denied) return 6;
    return cache->sync() ? 0 : 7;
  });
  const int status = child.wait();
  if (status == kCannotMount) GTEST_SKIP() << "this machine lets nobody mount a tmpfs";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace berth::cache::test
