// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <map>
#include <set>
#include <string>

#include "berth/base/sync.hpp"

#include "cache/folder.hpp"
#include "cache/shared_state.hpp"

namespace berth::cache {

/// What was linked into blobs/ since the last sync point, so that one need not sync per blob.
///
/// A blob is trusted when the time at which it was sealed lies before a sync point of the boot that
/// linked it, or when a line of this boot names it. All else may have been in memory only when the
/// machine ended, or was written to since, and is hashed again first. The names alone would not do:
/// after the machine's end they may be lost with the rest; the time lies in the inode that it
/// speaks of.
/// Thread safe; lock-free between processes.
class Journal {
 public:
  Journal(const Folder& folder, const SharedState& state)
      : folder_(folder),
        state_(state) {}

  /// Says that `digest` is about to be linked, or was hashed again. Returns the bytes by which the
  /// file grew.
  Result<std::uint64_t> add(const Digest& digest);
  /// It was hashed and is right: this process need not do it again.
  void trust(const Digest& digest);
  /// `info` is the blob's: it says when it was sealed.
  bool trusts(const Digest& digest, const struct stat& info);
  bool empty() const;
  /// So many lines that a sync point is worth its time even to a command that ends.
  bool is_long() const;

  /// A sync point: all that lines speak of reaches the disk, then the lines go.
  Result<void> sync();

 private:
  struct Seen {
    ino_t inode = 0;
    std::uint64_t bytes = 0;
  };
  void load() BERTH_REQUIRES(mutex_);
  void load_file(const std::string& name) BERTH_REQUIRES(mutex_);
  /// What lines speak of: those of this boot, and those of others that were not hashed since.
  struct Named {
    std::set<std::string> here;
    std::map<std::string, std::string> elsewhere;  ///< digest to boot
  };
  Named read(const std::vector<std::string>& names) const;
  Result<void> flush(const std::set<std::string>& digests);

  const Folder& folder_;
  const SharedState& state_;
  mutable Mutex mutex_;
  std::set<std::string> trusted_ BERTH_GUARDED_BY(mutex_);  ///< lines of this boot
  std::set<std::string> suspect_ BERTH_GUARDED_BY(mutex_);  ///< lines of another boot
  std::map<std::string, Seen> seen_ BERTH_GUARDED_BY(mutex_);
  bool loaded_ BERTH_GUARDED_BY(mutex_) = false;
};

}  // namespace berth::cache
