// SPDX-License-Identifier: Apache-2.0
#include "berth/base/atomic_file.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth {
namespace {

/// Short, so that it fits wherever the target's name fits; the dot keeps it out of listings.
Result<std::string> temporary_name() {
  std::array<std::byte, 8> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    return Error::from_errno(errno, "cannot get random bytes");
  }
  return ".tmp-" + text::to_hex(random);
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

Result<void> sync_folder(const std::filesystem::path& folder) {
  const Fd fd = TRY(open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY));
  // EINVAL: some file systems have nothing to sync in a folder.
  if (::fsync(fd.get()) != 0 && errno != EINVAL) {
    return Error::from_errno(errno, "cannot sync the folder '" + folder.string() + "'");
  }
  return {};
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path target, std::filesystem::path temporary, Fd fd)
    : target_(std::move(target)),
      temporary_(std::move(temporary)),
      fd_(std::move(fd)) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::move(other.fd_)) {}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this != &other) {
    discard();
    target_ = std::move(other.target_);
    temporary_ = std::exchange(other.temporary_, {});
    fd_ = std::move(other.fd_);
  }
  return *this;
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() noexcept {
  fd_.reset();
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

Result<AtomicFile> AtomicFile::create(const std::filesystem::path& target, mode_t mode) {
  const std::string name = TRY(temporary_name());
  std::filesystem::path temporary = folder_of(target) / name;
  auto fd = open_at(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  // Nobody knows the temporary's name, here and below.
  if (!fd) return cannot_write(target, fd.error().sys_errno());
  return AtomicFile(target, std::move(temporary), *std::move(fd));
}

Result<void> AtomicFile::write(ByteView bytes) {
  const Result<void> written = write_all(fd_.get(), bytes);
  if (written) return {};
  return cannot_write(target_, written.error().sys_errno());
}

Result<void> AtomicFile::commit(bool sync) {
  if (temporary_.empty()) {
    return Error(Errc::internal, "'" + target_.string() + "' is committed twice");
  }
  if (sync && ::fsync(fd_.get()) != 0) return cannot_write(target_, errno);
  // Network file systems report a full disk only here.
  if (::close(fd_.release()) != 0 && errno != EINTR) return cannot_write(target_, errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) return cannot_write(target_, errno);
  temporary_.clear();
  return sync ? sync_folder(folder_of(target_)) : Result<void>{};
}

Error cannot_write(const std::filesystem::path& target, int sys_errno) {
  return Error::from_errno(sys_errno, "cannot write '" + target.string() + "'");
}

Result<void> write_file_atomically(const std::filesystem::path& target, std::string_view content,
                                   mode_t mode, bool sync) {
  AtomicFile file = TRY(AtomicFile::create(target, mode));
  TRY(file.write(as_bytes(content)));
  return file.commit(sync);
}

}  // namespace berth
