// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace berth::cache::test {

/// What the machine's end leaves of files that are written in place: fsync(2), fdatasync(2) and
/// syncfs(2) of this program, and of children that it forks, pass through here on their way to the
/// kernel, and what a partial blob's `data` holds then is kept. One at a time.
class Disk {
 public:
  /// `kept`: an empty folder beside the cache.
  explicit Disk(const std::filesystem::path& kept);
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  ~Disk();

  /// Puts back what the file held when it was synced last; zeros where that was never.
  void lose_unsynced(const std::filesystem::path& data) const;
  /// Was it ever synced?
  bool has(const std::filesystem::path& data) const;
  /// How often this process synced anything.
  static int syncs();
};

}  // namespace berth::cache::test
