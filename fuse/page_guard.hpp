// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "berth/base/sync.hpp"
#include "berth/digest/digest.hpp"

#include "inodes.hpp"

namespace berth::fuse {

/// Which files' pages in the kernel may hold bytes that were never verified. Pages of a blob that
/// is still being fetched stay behind when it is closed; a later open of the then complete blob
/// must not find them. Thread safe.
class PageGuard {
 public:
  /// One open file's part in it; kept by its owner from opened() to closed().
  struct Ticket {
    Ino ino = 0;
    bool verified = false;
    bool keep_pages = false;  ///< what to tell the kernel: FOPEN_KEEP_CACHE
    std::uint64_t generation = 0;
  };

  /// `verified`: every byte that this open file will give was verified before it was opened.
  Ticket opened(Ino ino, bool verified, const std::optional<Digest>& digest);
  /// The first read of an open file proves that the kernel has done what opened() asked for.
  void read(Ticket& ticket);
  /// `settled`: every byte that this open file gave was found right meanwhile, as is usual when it
  /// was read to its end. Pages of such files only are worth keeping.
  void closed(const Ticket& ticket, bool settled);
  void forgotten(Ino ino);

  /// Files whose pages may show this content unverified.
  std::vector<Ino> suspects(const Digest& digest) const;

 private:
  struct Suspect {
    std::uint64_t open = 0;        ///< files open now that give unverified bytes
    std::uint64_t generation = 0;  ///< how many there were
    bool unsettled = false;        ///< one was closed whose bytes are still in doubt
    std::optional<Digest> digest;
  };
  mutable Mutex mutex_;
  std::map<Ino, Suspect> suspects_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::fuse
