// SPDX-License-Identifier: Apache-2.0
// DESIGN section 4: no sync per blob; there are sync points, and data is on the disk before what
// speaks of it.
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "cache/fault_point.hpp"
#include "cache/ingest.hpp"
#include "unit/cache/crash_fixture.hpp"

namespace berth::cache::test {
namespace {

class SyncPointTest : public CrashTest {};

TEST_F(SyncPointTest, DataIsSyncedBeforeTheRecordThatSpeaksOfIt) {
  const std::string bytes = content(9 * kMiB, 8);
  const Digest digest = digest_of(as_bytes(bytes));
  const auto cache = open();
  const auto partial = join(*cache, digest, bytes);
  auto download = partial->begin_download(0);
  static std::filesystem::path record;
  static std::string before;
  static int looked;
  record = ingest_path(digest) / "synced";
  looked = 0;
  const auto text = [] {
    std::ostringstream now;
    now << std::ifstream(record, std::ios::binary).rdbuf();
    return now.str();
  };
  static std::string (*read_record)();
  read_record = text;
  fault_hook = [](const char* point) {
    if (std::string_view(point) != "partial.synced") return;
    ++looked;
    EXPECT_EQ(read_record(), before) << "the record of what was only just synced is there already";
  };
  for (int turn = 0; turn < 2; ++turn) {
    before = text();
    ASSERT_THAT((*download)->write(
                    as_bytes(bytes.substr(static_cast<std::size_t>(turn) * 3 * kMiB, 3 * kMiB))),
                IsOkAndHolds(true));
    ASSERT_THAT(cache->sync_data(), IsOk());
    EXPECT_TRUE(disk_.has(ingest_path(digest) / "data"));
    EXPECT_NE(text(), before);
  }
  fault_hook = nullptr;
  EXPECT_EQ(looked, 2);
}

TEST_F(SyncPointTest, NothingIsSyncedForABlob) {
  const std::string bytes = content(9 * kMiB, 8);
  const Digest digest = digest_of(as_bytes(bytes));
  const auto cache = open();
  const int before = Disk::syncs();
  for (int i = 0; i < 50; ++i) {
    const std::string small = content(5000, static_cast<unsigned>(i) + 100);
    ASSERT_THAT(cache->put(digest_of(as_bytes(small)), as_bytes(small)), IsOk());
  }
  fill(*join(*cache, digest, bytes), bytes);
  EXPECT_TRUE(cache->contains(digest));
  EXPECT_EQ(Disk::syncs(), before);
  ASSERT_THAT(cache->sync(), IsOk());
  EXPECT_GT(Disk::syncs(), before) << "the sync point is seen";
}

TEST_F(SyncPointTest, AProcessThatEndsLeavesItsPartialBlobsSynced) {
  const std::string bytes = content(5 * kMiB, 8);
  const Digest digest = digest_of(as_bytes(bytes));
  {
    const auto cache = open();
    auto partial = join(*cache, digest, bytes);
    auto download = partial->begin_download(0);
    static_cast<void>((*download)->write(as_bytes(bytes.substr(0, kMiB))));
    download->reset();
    partial.reset();  // nobody reads it any more: interrupted
  }
  end_machine("boot-2");
  const auto cache = open();
  const auto partial = join(*cache, digest, bytes);
  EXPECT_EQ(partial->available(0), kMiB);
  EXPECT_EQ(fill(*partial, bytes), bytes.size() - kMiB);
  EXPECT_EQ(read_blob(*cache, digest), bytes);
}

TEST_F(SyncPointTest, WhatAKilledProcessLeftIsSyncedByTheNext) {
  const std::string bytes = content(5 * kMiB, 8);
  const Digest digest = digest_of(as_bytes(bytes));
  leave_unsynced(digest, bytes, kMiB);
  ASSERT_THAT(open()->sync_data(), IsOk());
  end_machine("boot-2");
  const auto cache = open();
  EXPECT_EQ(join(*cache, digest, bytes)->available(0), kMiB);
}

TEST_F(SyncPointTest, ASyncPointIsMadeWhileAnotherThreadHashes) {
  const std::string bytes = content(33 * kMiB, 4);
  const Digest digest = digest_of(as_bytes(bytes));
  const auto cache = open();
  const auto partial = join(*cache, digest, bytes);
  auto download = partial->begin_download(0);
  {
    std::jthread writer([&] {
      for (std::size_t at = 0; at < 32 * kMiB; at += 64 * 1024) {
        static_cast<void>((*download)->write(as_bytes(bytes.substr(at, 64 * 1024))));
      }
    });
    for (int i = 0; i < 20; ++i) ASSERT_THAT(cache->sync_data(), IsOk());
  }
  ASSERT_THAT(cache->sync_data(), IsOk());
  const Ingest left = *open_ingest_files(AT_FDCWD, ingest_path(digest));
  const auto record = read_synced(left.folder.get());
  ASSERT_THAT(record, IsOk());
  EXPECT_EQ(record->point.count, 32 * kMiB);
  Hasher hasher = *Hasher::create(Algorithm::sha256);
  hasher.update(as_bytes(bytes).first(32 * kMiB));
  EXPECT_EQ(std::move(*Hasher::resume(Algorithm::sha256, record->point.state)).finish(),
            std::move(hasher).finish());
}

}  // namespace
}  // namespace berth::cache::test
