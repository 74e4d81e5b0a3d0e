// SPDX-License-Identifier: Apache-2.0
#include "credential/private_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>

#include <fmt/format.h>

#include "berth/base/clock.hpp"
#include "berth/base/try.hpp"

namespace berth::credential {
namespace {

/// flock(2) has no deadline of its own.
constexpr std::chrono::milliseconds kLockStep{2};

Result<void> check_private(const struct stat& status, const std::filesystem::path& path) {
  if (!S_ISREG(status.st_mode)) {
    return Error(Errc::denied, fmt::format("{} is not a regular file", path.native()));
  }
  if (status.st_uid != ::geteuid()) {
    return Error(Errc::denied, fmt::format("{} belongs to another user (id {}) and is not used",
                                           path.native(), status.st_uid));
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Error(Errc::denied,
                 fmt::format("{} holds credentials and is open to others (mode {:04o}): it is not "
                             "used until you chmod 600 it, and what it holds may be known by now",
                             path.native(), status.st_mode & 07777U));
  }
  return {};
}

}  // namespace

Result<std::optional<std::string>> read_private_file(const std::filesystem::path& path,
                                                     std::size_t limit) {
  Result<Fd> fd = open_at(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd && fd.error().code() == Errc::not_found) return std::optional<std::string>();
  if (!fd) return Error(std::move(fd).error());
  struct stat status{};
  if (::fstat(fd->get(), &status) != 0) return Error::from_errno(errno, path.native());
  TRY(check_private(status, path));
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > limit) {
    return Error(Errc::too_large,
                 fmt::format("{} has {} bytes; it may have {}", path.native(), size, limit));
  }
  std::string text(size, '\0');
  TRY(pread_exact(fd->get(), std::as_writable_bytes(std::span(text.data(), text.size())), 0));
  return std::optional(std::move(text));
}

Result<Fd> lock_file(const std::filesystem::path& path, const Context& context) {
  Fd fd = TRY(open_at(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return Error::from_errno(errno, path.native());
    if (Result<void> slept = real_clock().sleep(kLockStep, context); !slept) {
      return Error(std::move(slept).error()).with_context("waiting for " + path.native());
    }
  }
  return fd;
}

}  // namespace berth::credential
