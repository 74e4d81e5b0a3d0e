// SPDX-License-Identifier: Apache-2.0
#include "cache/shared_file.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "berth/base/try.hpp"

namespace berth::cache {
namespace {

constexpr long kMilli = 1'000'000;             // nanoseconds
constexpr time_t kNeverCovered = 0x7FFF'0000;  // in 2038: the last that every file system can write

struct flock range(short type, std::uint64_t start, std::uint64_t length) noexcept {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(start);
  lock.l_len = static_cast<off_t>(length);
  return lock;
}

Result<void> write_zeros(int fd, std::uint64_t offset, std::uint64_t length) {
  static constexpr std::array<std::byte, 65536> kZeros{};
  while (length > 0) {
    const std::size_t step = std::min<std::uint64_t>(length, kZeros.size());
    TRY(pwrite_all(fd, ByteView(kZeros).first(step), offset));
    offset += step;
    length -= step;
  }
  return {};
}

}  // namespace

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    reset();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

void Mapping::reset() noexcept {
  if (data_ != nullptr) ::munmap(data_, size_);
  data_ = nullptr;
}

Result<Mapping> Mapping::map(int fd, std::size_t size, bool writable) {
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  const int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
  void* data = ::mmap(nullptr, size, protection, flags, fd, 0);
  if (data == MAP_FAILED) return Error::from_errno(errno, "mapping a file of the cache");
  Mapping mapping;
  mapping.data_ = data;
  mapping.size_ = size;
  return mapping;
}

bool try_lock(int fd, LockKind kind, std::uint64_t start, std::uint64_t length) noexcept {
  struct flock lock = range(kind == LockKind::shared ? F_RDLCK : F_WRLCK, start, length);
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

void unlock(int fd, std::uint64_t start, std::uint64_t length) noexcept {
  struct flock lock = range(F_UNLCK, start, length);
  ::fcntl(fd, F_OFD_SETLK, &lock);
}

std::optional<std::uint64_t> other_lock(int fd, std::uint64_t start, std::uint64_t end) noexcept {
  struct flock lock = range(F_WRLCK, start, end - start);
  if (start >= end || ::fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return {};
  return std::max(start, static_cast<std::uint64_t>(lock.l_start));
}

Result<void> allocate(int fd, std::uint64_t offset, std::uint64_t length, Unsupported otherwise) {
  int result = 0;
  do {
    result = ::fallocate(fd, 0, static_cast<off_t>(offset), static_cast<off_t>(length));
  } while (result != 0 && errno == EINTR);
  if (result == 0) return {};
  if (errno != EOPNOTSUPP && errno != ENOSYS) {
    return Error::from_errno(errno, "reserving room on the cache's disk");
  }
  if (otherwise == Unsupported::ignore) return {};
  return write_zeros(fd, offset, length);
}

void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t seen,
                std::chrono::nanoseconds limit, std::uint32_t bits) noexcept {
  if (limit <= std::chrono::nanoseconds::zero()) return;
  constexpr long kNanos = 1'000'000'000;
  struct timespec until{};  // this kind of wait takes a time of the monotonic clock, not a duration
  ::clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += static_cast<time_t>(limit.count() / kNanos);
  until.tv_nsec += static_cast<long>(limit.count() % kNanos);
  if (until.tv_nsec >= kNanos) {
    until.tv_nsec -= kNanos;
    ++until.tv_sec;
  }
  ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, seen, &until, nullptr, bits);
}

void futex_wake(const std::atomic<std::uint32_t>& word, std::uint32_t bits) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_BITSET, INT32_MAX, nullptr, nullptr, bits);
}

Result<void> seal(int fd, Seal when) {
  struct timespec times[2] = {};
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = kNeverCovered;
  if (when == Seal::now) {
    ::clock_gettime(CLOCK_REALTIME, &times[1]);
    // Rounded up: a sync point that came before must not cover it.
    const long millis = (times[1].tv_nsec + kMilli - 1) / kMilli;
    times[1].tv_sec += millis / 1000;
    times[1].tv_nsec = millis % 1000 * kMilli;
  }
  if (::fchmod(fd, 0444) == 0 && ::futimens(fd, times) == 0) return {};
  return Error::from_errno(errno, "protecting a blob of the cache");
}

std::optional<std::int64_t> sealed_at(const struct stat& info) noexcept {
  if (info.st_mtim.tv_nsec % kMilli != 0) return std::nullopt;
  return static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec;
}

std::uint64_t allocated(int fd) noexcept {
  struct stat info{};
  return ::fstat(fd, &info) == 0 ? allocated(info) : 0;
}

std::uint64_t checksum(ByteView bytes) noexcept {
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  for (const std::byte byte : bytes) {
    sum = (sum ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3ULL;
  }
  return sum;
}

}  // namespace berth::cache
