// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "unit/cache/cache_fixture.hpp"
#include "unit/cache/disk.hpp"

namespace berth::cache::test {

/// The end of the machine or of a process, and what is left then.
class CrashTest : public CacheTest {
 protected:
  /// The machine ends: another boot, of each map only garbage reached the disk, and of `data` what
  /// was synced.
  void end_machine(const std::string& boot) {
    boot_ = boot;
    for (const auto& entry : std::filesystem::directory_iterator(folder() / "ingest")) {
      if (!std::filesystem::exists(entry.path() / "map")) continue;
      disk_.lose_unsynced(entry.path() / "data");
      const int fd = ::open((entry.path() / "map").c_str(), O_WRONLY);
      const std::string garbage = content(512, 99);
      EXPECT_EQ(::pwrite(fd, garbage.data(), garbage.size(), 1024), 512);
      EXPECT_EQ(::pwrite(fd, garbage.data(), 16, 4096), 16);
      ::close(fd);
    }
  }
  void overwrite(const Digest& digest, const std::string& bytes) const {
    struct stat before{};
    ASSERT_EQ(::stat(blob_path(digest).c_str(), &before), 0);
    ASSERT_EQ(::chmod(blob_path(digest).c_str(), 0600), 0);
    std::ofstream(blob_path(digest), std::ios::binary) << bytes;
    // The disk lost it: nobody wrote.
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    ASSERT_EQ(::utimensat(AT_FDCWD, blob_path(digest).c_str(), times, 0), 0);
    ASSERT_EQ(::chmod(blob_path(digest).c_str(), 0444), 0);
  }
  /// A process that downloads, does `work`, and is killed while it still holds its download open.
  /// Returns its attempt's number.
  template <class Work>
  std::uint64_t kill_downloading(const Digest& digest, const std::string& bytes, Work work) {
    Signals signals;
    Child writer([&] {
      const auto cache = open();
      const auto partial = join(*cache, digest, bytes);
      auto download = partial->begin_download(0);
      work(*cache, **download);
      signals.number(1) = static_cast<std::int64_t>(partial->attempt());
      signals.raise(0);
      for (;;) ::pause();
      return 0;
    });
    EXPECT_TRUE(signals.wait_for(0));
    writer.kill();
    return static_cast<std::uint64_t>(signals.number(1).load());
  }
  /// After it wrote the first bytes, of which nothing was synced.
  std::uint64_t leave_unsynced(const Digest& digest, const std::string& bytes, std::size_t count) {
    return kill_downloading(digest, bytes, [&](Cache&, auto& download) {
      static_cast<void>(download.write(as_bytes(bytes.substr(0, count))));
    });
  }
  std::shared_ptr<Partial> join(Cache& cache, const Digest& digest, const std::string& bytes) {
    auto partial = cache.join(digest, bytes.size());
    EXPECT_THAT(partial, IsOk());
    return *partial;
  }

  const Disk disk_{dir_ / "disk"};
};

}  // namespace berth::cache::test
