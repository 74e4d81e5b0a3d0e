// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "berth/base/fd.hpp"

namespace berth {

/// A file that appears under its name complete or not at all: written beside it, renamed over it on
/// commit(). The destructor removes the temporary and never commits. What kill -9 leaves behind is
/// called `.tmp-` and 16 hexadecimal digits. A target that is a symbolic link is replaced itself.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::filesystem::path& target, mode_t mode = 0600);
  AtomicFile(AtomicFile&&) noexcept;
  AtomicFile& operator=(AtomicFile&&) noexcept;
  ~AtomicFile();

  int fd() const noexcept { return fd_.get(); }
  Result<void> write(ByteView bytes);
  /// `sync`: the data reaches the disk before the name does.
  Result<void> commit(bool sync = false);

 private:
  AtomicFile(std::filesystem::path target, std::filesystem::path temporary, Fd fd);
  void discard() noexcept;

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  Fd fd_;
};

/// The error, from errno, of what is written under another name, or none, and is to be `target`.
Error cannot_write(const std::filesystem::path& target, int sys_errno);

/// create + write + commit.
Result<void> write_file_atomically(const std::filesystem::path& target, std::string_view content,
                                   mode_t mode = 0600, bool sync = false);

}  // namespace berth
