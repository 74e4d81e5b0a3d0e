// SPDX-License-Identifier: Apache-2.0
#include "cache/append_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "berth/base/try.hpp"

#include "cache/shared_file.hpp"

namespace berth::cache {
namespace {

// One write(2) of O_APPEND: lines of several processes do not mix. A short one (a full disk) may
// leave half a line; the newline that then comes first ends it, and readers skip it.
Result<void> append_whole(int fd, std::string_view lines) {
  ssize_t written = 0;
  do {
    written = ::write(fd, lines.data(), lines.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(lines.size())) return {};
  if (written < 0) return Error::from_errno(errno, "appending to a file of the cache");
  [[maybe_unused]] const ssize_t ended = ::write(fd, "\n", 1);
  return Error(Errc::no_space, "appending to a file of the cache: no space left");
}

}  // namespace

Result<std::uint64_t> append_lines(int dir_fd, const std::string& name, std::string_view lines) {
  std::uint64_t grown = 0;
  for (int attempt = 0; attempt < 8; ++attempt) {
    Fd fd = TRY(open_at(dir_fd, name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW));
    const std::uint64_t before = allocated(fd.get());
    TRY(append_whole(fd.get(), lines));
    struct stat mine{};
    struct stat named{};
    if (::fstat(fd.get(), &mine) != 0) return Error::from_errno(errno, "appending to the cache");
    // Also of a file without its name: whoever removes it takes all of its blocks off the count.
    const std::uint64_t after = allocated(mine);
    grown += after > before ? after - before : 0;
    if (::fstatat(dir_fd, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        named.st_ino == mine.st_ino && named.st_dev == mine.st_dev) {
      return grown;
    }
  }
  return Error(Errc::conflict, fmt::format("appending to {}: it is replaced all the time", name));
}

}  // namespace berth::cache
