// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "cache/folder.hpp"
#include "cache/shared_file.hpp"

namespace berth::cache {

/// Who was used when: a table of a fixed size, mapped by all processes, so that a touch is a few
/// loads and one store. An entry that is pushed out, or a lost file, makes the file's own times
/// count instead. Thread safe.
class Recency {
 public:
  /// `limit` of the cache gives the table's size. Without room for it nothing is remembered.
  Recency(const Folder& folder, std::uint64_t limit);

  void touch(const Digest& digest) noexcept;
  /// In microseconds since 1970; 0 when it is not known.
  std::int64_t last_used(const Digest& digest) const noexcept;

 private:
  struct Entry {
    std::atomic<std::uint64_t> key;  ///< 0: free
    std::atomic<std::int64_t> stamp;
  };
  Entry* entries() const noexcept { return mapping_.at<Entry>(kHeader); }
  Result<void> open(std::uint64_t limit);

  static constexpr std::size_t kHeader = 64;
  const Folder& folder_;
  Mapping mapping_;
  std::uint64_t capacity_ = 0;
  mutable std::atomic<std::int64_t> latest_{0};
};

}  // namespace berth::cache
