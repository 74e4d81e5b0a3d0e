// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "berth/base/bytes.hpp"
#include "berth/base/context.hpp"
#include "berth/base/result.hpp"

namespace berth {

/// Owns a file descriptor. Every descriptor of berth is close-on-exec.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept
      : fd_(fd) {}
  Fd(Fd&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

/// openat(2) with O_CLOEXEC, retried on EINTR. `dir_fd` may be AT_FDCWD. The error names the path.
Result<Fd> open_at(int dir_fd, const std::filesystem::path& path, int flags, mode_t mode = 0600);

/// Reads or writes all of the span at `offset`; a short read is Errc::io.
Result<void> pread_exact(int fd, std::span<std::byte> out, std::uint64_t offset);
Result<void> pwrite_all(int fd, ByteView bytes, std::uint64_t offset);
/// Writes all to a pipe, terminal or file at its position.
Result<void> write_all(int fd, ByteView bytes);

/// Until read(2) has something to say, the end included; a process's descriptor (pidfd_open(2)):
/// until it has ended. The Context's error otherwise. A stop is noticed after a minute at the
/// latest.
Result<void> wait_readable(int fd, const Context& context);

/// A whole file of at most `limit` bytes (Errc::too_large beyond). Errc::not_found when absent.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit);
Result<std::string> read_file_at(int dir_fd, const std::filesystem::path& path, std::size_t limit);

/// mkdir -p with `mode` for what is created.
Result<void> make_directories(const std::filesystem::path& path, mode_t mode = 0700);

}  // namespace berth
