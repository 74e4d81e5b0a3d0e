// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "berth/base/sync.hpp"
#include "berth/content/store.hpp"

namespace berth::content {

/// The sum over all blobs of a copy, told one call at a time. Thread safe.
class Meter {
 public:
  /// `progress` must outlive it.
  Meter(const Progress& progress, std::uint64_t total)
      : progress_(progress),
        total_(total) {}

  void move(std::uint64_t from, std::uint64_t to) BERTH_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    done_ += to - from;  // modulo 2^64: a second attempt goes back
    if (progress_) progress_(done_, total_);
  }

 private:
  const Progress& progress_;
  const std::uint64_t total_;
  Mutex mutex_;
  std::uint64_t done_ BERTH_GUARDED_BY(mutex_) = 0;
};

}  // namespace berth::content
