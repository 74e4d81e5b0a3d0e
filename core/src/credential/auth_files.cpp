// SPDX-License-Identifier: Apache-2.0
#include "credential/auth_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "berth/base/fd.hpp"
#include "berth/base/log.hpp"
#include "berth/base/try.hpp"

namespace berth::credential {
namespace {

/// docker's own file of somebody with a thousand registries is a tenth of this.
constexpr std::size_t kFileLimit = 4 * 1024 * 1024;

/// Not blocking: a pipe put where a file belongs must not hang a mount.
Result<Fd> open_regular(const std::filesystem::path& path, struct stat& status) {
  Fd fd = TRY(open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK));
  if (::fstat(fd.get(), &status) != 0) {
    return Error::from_errno(errno, fmt::format("reading {}", path.native()));
  }
  if (!S_ISREG(status.st_mode)) {
    return Error(Errc::corrupt, fmt::format("{} is not a regular file", path.native()));
  }
  return fd;
}

Result<std::string> read_text(const Fd& fd, std::size_t size, const std::filesystem::path& path) {
  if (size > kFileLimit) {
    return Error(Errc::too_large, fmt::format("{} has {} bytes; a credential file may have {}",
                                              path.native(), size, kFileLimit));
  }
  std::string text(size, '\0');
  TRY(pread_exact(fd.get(), std::as_writable_bytes(std::span(text.data(), text.size())), 0));
  return text;
}

}  // namespace

Result<std::shared_ptr<const AuthFile>> AuthFiles::load(const std::filesystem::path& path,
                                                        AuthFileForm form) {
  struct stat status{};
  const Fd fd = TRY(open_regular(path, status));
  const Identity identity{
      .device = status.st_dev,
      .inode = status.st_ino,
      .size = status.st_size,
      .modified_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
  const MutexLock lock(mutex_);
  const auto found = entries_.find(path);
  if (found != entries_.end() && found->second.identity == identity) return found->second.file;
  const std::string text = TRY(read_text(fd, static_cast<std::size_t>(status.st_size), path));
  auto file = std::make_shared<const AuthFile>(TRY(parse_auth_file(text, form, path.native())));
  warn_if_open_to_others(path, status.st_mode, *file);
  entries_[path] = Entry{.identity = identity, .file = file};
  return file;
}

void AuthFiles::warn_if_open_to_others(const std::filesystem::path& path, mode_t mode,
                                       const AuthFile& file) {
  if ((mode & (S_IRGRP | S_IROTH)) == 0 || !file.holds_secret()) return;
  if (!warned_.insert(path).second) return;
  log::warning(
      fmt::format("{} holds credentials and can be read by others: chmod 600 it", path.native()));
}

}  // namespace berth::credential
