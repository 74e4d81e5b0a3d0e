// SPDX-License-Identifier: Apache-2.0
#include "berth/base/fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>

#include "berth/base/try.hpp"

namespace berth {
namespace {

std::string quoted(std::string_view verb, const std::filesystem::path& path) {
  return std::string(verb) + " '" + path.string() + "'";
}

constexpr std::size_t kLeast = 4 * 1024;
constexpr std::size_t kMost = 64 * 1024;

Result<std::string> read_all(const Fd& fd, const std::filesystem::path& path, std::size_t limit) {
  struct stat status{};
  std::string content;
  if (::fstat(fd.get(), &status) == 0 && status.st_size > 0) {
    content.reserve(std::min(static_cast<std::size_t>(status.st_size), limit) + 1);
  }
  // st_size is a hint only: pipes and files of /proc have none, and others may write meanwhile.
  // A small file is no reason to touch sixteen pages: a helper's whole life is a hundred of them.
  const std::size_t step = std::clamp<std::size_t>(
      status.st_size > 0 ? static_cast<std::size_t>(status.st_size) : kMost, kLeast, kMost);
  for (;;) {
    const std::size_t held = content.size();
    const std::size_t want = std::max(content.capacity() - held, std::min(step, limit - held + 1));
    content.resize(held + want);
    const ssize_t got = ::read(fd.get(), content.data() + held, want);
    const int failure = errno;
    content.resize(held + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && failure != EINTR) return Error::from_errno(failure, quoted("cannot read", path));
    if (content.size() > limit) {
      return Error(Errc::too_large, quoted("cannot read", path) + ": it has more than " +
                                        std::to_string(limit) + " bytes");
    }
    if (got == 0) return content;
  }
}

/// Blocks until a non-blocking descriptor takes bytes again.
void wait_until_writable(int fd) {
  pollfd wanted{.fd = fd, .events = POLLOUT, .revents = 0};
  ::poll(&wanted, 1, -1);
}

}  // namespace

Result<void> wait_readable(int fd, const Context& context) {
  using std::chrono::milliseconds;
  constexpr milliseconds kStep{60'000};
  pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(context.remaining(kStep));
    const int ready = ::poll(&wanted, 1, static_cast<int>(std::max(left, milliseconds(0)).count()));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return Error::from_errno(errno, "waiting for input");
    TRY(context.check());
  }
}

void Fd::reset() noexcept {
  // Never retried on EINTR: Linux has closed it, and the number may already be another thread's.
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<Fd> open_at(int dir_fd, const std::filesystem::path& path, int flags, mode_t mode) {
  for (;;) {
    const int fd = ::openat(dir_fd, path.c_str(), flags | O_CLOEXEC, mode);
    if (fd >= 0) return Fd(fd);
    if (errno != EINTR) return Error::from_errno(errno, quoted("cannot open", path));
  }
}

Result<void> pread_exact(int fd, std::span<std::byte> out, std::uint64_t offset) {
  while (!out.empty()) {
    const ssize_t got = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::from_errno(errno, "cannot read");
    if (got == 0) {
      return Error(Errc::io, "cannot read: the file ends at byte " + std::to_string(offset) + ", " +
                                 std::to_string(out.size()) + " bytes early");
    }
    out = out.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

namespace {

/// Names what a descriptor leads to: who writes knows no name any more, and a person wants one.
Error write_error(int fd, int why) {
  std::error_code unknown;
  const auto target =
      std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), unknown).string();
  // "pipe:[123]", and a file without a name ("/dir/#12 (deleted)"), say nothing to anybody.
  const bool is_name = target.starts_with('/') && !target.ends_with(" (deleted)");
  return Error::from_errno(why, is_name ? "cannot write '" + target + "'" : "cannot write");
}

}  // namespace

Result<void> pwrite_all(int fd, ByteView bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return write_error(fd, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return {};
}

Result<void> write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) {  // a terminal shared with a program that made it so
      wait_until_writable(fd);
      continue;
    }
    if (put < 0) return write_error(fd, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit) {
  return read_file_at(AT_FDCWD, path, limit);
}

Result<std::string> read_file_at(int dir_fd, const std::filesystem::path& path, std::size_t limit) {
  const Fd fd = TRY(open_at(dir_fd, path, O_RDONLY));
  return read_all(fd, path, limit);
}

Result<void> make_directories(const std::filesystem::path& path, mode_t mode) {
  if (path.empty() || ::mkdir(path.c_str(), mode) == 0) return {};
  int failure = errno;
  const std::filesystem::path parent = path.parent_path();
  if (failure == ENOENT && parent != path) {
    TRY(make_directories(parent, mode));
    if (::mkdir(path.c_str(), mode) == 0) return {};
    failure = errno;
  }
  // Whatever mkdir said (EEXIST, EROFS, EACCES for an automount's parent), a folder is a folder.
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return {};
    failure = ENOTDIR;
  }
  return Error::from_errno(failure, quoted("cannot make the folder", path));
}

}  // namespace berth
