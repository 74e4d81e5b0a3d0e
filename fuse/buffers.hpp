// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "berth/base/sync.hpp"

namespace berth::fuse {

/// Buffers for replies. A few are kept to be used again; a buffer that is not yet filled costs no
/// memory, so that hundreds of waiting reads cost none. Thread safe; outlives its buffers.
class Buffers {
 public:
  /// The largest read that the kernel asks for. With its header it fits a pipe of 1 MiB, the
  /// system-wide limit: libfuse copies through memory what does not.
  static constexpr std::size_t kSize = 512 * 1024;
  static constexpr std::size_t kKept = 4;

  class Lease {
   public:
    Lease() = default;
    Lease(Buffers& home, std::unique_ptr<std::byte[]> bytes, std::size_t size)
        : home_(&home),
          bytes_(std::move(bytes)),
          size_(size) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (bytes_ && size_ == kSize) home_->give_back(std::move(bytes_));
    }
    std::span<std::byte> span() const noexcept { return {bytes_.get(), size_}; }

   private:
    Buffers* home_ = nullptr;
    std::unique_ptr<std::byte[]> bytes_;
    std::size_t size_ = 0;
  };

  Lease take(std::size_t size) {
    if (size == kSize) {
      MutexLock lock(mutex_);
      if (!kept_.empty()) {
        auto bytes = std::move(kept_.back());
        kept_.pop_back();
        return {*this, std::move(bytes), size};
      }
    }
    return {*this, std::make_unique_for_overwrite<std::byte[]>(size), size};
  }

 private:
  void give_back(std::unique_ptr<std::byte[]> bytes) {
    MutexLock lock(mutex_);
    if (kept_.size() < kKept) kept_.push_back(std::move(bytes));
  }

  Mutex mutex_;
  std::vector<std::unique_ptr<std::byte[]>> kept_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::fuse
