// SPDX-License-Identifier: Apache-2.0
#include "content/new_file.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/core.h>

#include "berth/base/try.hpp"

namespace berth::content {
namespace {

constexpr mode_t kMode = 0644;

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

Result<NewFile> NewFile::create(const std::filesystem::path& target) {
  // Linking a nameless file needs its name under /proc.
  if (::access("/proc/self/fd", X_OK) == 0) {
    auto nameless = open_at(AT_FDCWD, folder_of(target), O_TMPFILE | O_WRONLY, kMode);
    if (nameless) return NewFile(target, *std::move(nameless));
    const int code = nameless.error().sys_errno();
    if (code != EOPNOTSUPP && code != EISDIR && code != EINVAL) return std::move(nameless).error();
  }
  AtomicFile atomic = TRY(AtomicFile::create(target, kMode));
  return NewFile(target, std::move(atomic));
}

Result<void> NewFile::link(const std::filesystem::path& name) const {
  const std::string self = fmt::format("/proc/self/fd/{}", nameless_.get());
  if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) return {};
  return cannot_write(target_, errno);
}

Result<void> NewFile::write(ByteView bytes, std::uint64_t offset) const {
  const Result<void> written = pwrite_all(fd(), bytes, offset);
  if (written) return {};
  return cannot_write(target_, written.error().sys_errno());
}

Result<void> NewFile::commit() {
  if (atomic_) return atomic_->commit();
  auto linked = link(target_);
  if (linked || linked.error().sys_errno() != EEXIST) return linked;
  // linkat() does not replace: a second name is needed to rename from.
  const std::filesystem::path beside =
      folder_of(target_) / fmt::format(".tmp-{}-{}", ::getpid(), nameless_.get());
  ::unlink(beside.c_str());
  TRY(link(beside));
  if (::rename(beside.c_str(), target_.c_str()) == 0) return {};
  Error error = cannot_write(target_, errno);
  ::unlink(beside.c_str());
  return error;
}

}  // namespace berth::content
