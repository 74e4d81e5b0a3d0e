// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "berth/base/fd.hpp"

namespace berth::cache {

/// A file mapped shared. What is written through it survives the process, not the machine.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping() { reset(); }

  /// `fd` -1: memory that no file backs.
  static Result<Mapping> map(int fd, std::size_t size, bool writable);

  explicit operator bool() const noexcept { return data_ != nullptr; }
  std::size_t size() const noexcept { return size_; }
  template <class T>
  T* at(std::size_t offset) const noexcept {
    return reinterpret_cast<T*>(static_cast<std::byte*>(data_) + offset);
  }

 private:
  void reset() noexcept;
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Open file description locks (fcntl(2)): they belong to the descriptor that took them, so one
/// descriptor stands for one process, and its threads are kept apart by a mutex.
enum class LockKind : short { shared, exclusive };
bool try_lock(int fd, LockKind kind, std::uint64_t start, std::uint64_t length = 1) noexcept;
void unlock(int fd, std::uint64_t start, std::uint64_t length = 1) noexcept;
/// The start of a lock in [start, end) that another descriptor holds, if there is one.
std::optional<std::uint64_t> other_lock(int fd, std::uint64_t start, std::uint64_t end) noexcept;

/// Gives a range of a file its blocks now, so that no later write to it meets a full disk. Where
/// the file system cannot, `must` decides: write zeros (for what will be mapped, where a full disk
/// would be SIGBUS), or leave it to the writes. Errc::no_space.
enum class Unsupported : bool { ignore, write_zeros };
Result<void> allocate(int fd, std::uint64_t offset, std::uint64_t length, Unsupported otherwise);

/// Waits while `*word == seen`, at most `limit`; also for writers in other processes. Woken only by
/// a wake-up that has one of its `bits`.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t seen,
                std::chrono::nanoseconds limit, std::uint32_t bits) noexcept;
void futex_wake(const std::atomic<std::uint32_t>& word, std::uint32_t bits) noexcept;

/// Marks a verified file as one that nobody writes to any more: mode 0444, and a time of last
/// change that is a whole millisecond. Whoever writes to it later sets another. (Not the change
/// time of the inode: that moves with every other name that the file gets or loses.)
enum class Seal : bool {
  before_name,  ///< a time that no sync point will ever cover
  now,          ///< it has its name: the next sync point covers it
};
Result<void> seal(int fd, Seal when);
/// When it was sealed, in nanoseconds since 1970; nullopt when it was written to since, or never.
std::optional<std::int64_t> sealed_at(const struct stat& info) noexcept;

/// Bytes of allocated blocks, which is what the quota counts. 0 when it cannot be told.
std::uint64_t allocated(int fd) noexcept;
inline std::uint64_t allocated(const struct stat& info) noexcept {
  return static_cast<std::uint64_t>(info.st_blocks) * 512;
}

/// FNV-1a: to tell a torn record from a whole one. Not against an adversary.
std::uint64_t checksum(ByteView bytes) noexcept;

}  // namespace berth::cache
