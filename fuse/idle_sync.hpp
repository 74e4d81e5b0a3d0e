// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace berth::fuse {

/// When a mount brings its cache to a sync point: in pauses, and only where something waits for it.
/// Not thread safe.
class IdleSync {
 public:
  /// Asked now and then. `fetched`: bytes since the mount began; `is_index_stale`: the cache's. A
  /// sync point is due when none came since it was asked last, and some since the last sync point,
  /// or when the index lists what is not so.
  bool is_due(std::uint64_t fetched, bool is_index_stale) noexcept {
    const bool is_idle = fetched == seen_;
    seen_ = fetched;
    return is_idle && (fetched != synced_ || (is_index_stale && !has_failed_));
  }
  /// One was made, or not. An index alone that could not be written waits for the next bytes: a
  /// full disk is not told of again and again.
  void done(bool well) noexcept {
    synced_ = seen_;
    has_failed_ = !well;
  }

 private:
  std::uint64_t seen_ = 0;
  std::uint64_t synced_ = 0;
  bool has_failed_ = false;
};

}  // namespace berth::fuse
