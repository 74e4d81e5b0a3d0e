// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

#include "berth/base/atomic_file.hpp"
#include "berth/base/fd.hpp"

namespace berth::content {

/// A large file that appears under its name complete or not at all, and of which nothing is left
/// when the process is killed (O_TMPFILE where the file system has it). Mode 0644 under the umask.
class NewFile {
 public:
  static Result<NewFile> create(const std::filesystem::path& target);
  /// A file that exists already: commit() gives it this name beside those that it has. Not for a
  /// file system other than its own.
  static NewFile second_name(const std::filesystem::path& target, Fd file) {
    return {target, std::move(file)};
  }

  int fd() const noexcept { return atomic_ ? atomic_->fd() : nameless_.get(); }
  /// All of it. The error names the file that it is to be: it has no name yet.
  Result<void> write(ByteView bytes, std::uint64_t offset) const;
  /// Replaces what stands there.
  Result<void> commit();

 private:
  NewFile(std::filesystem::path target, Fd nameless)
      : target_(std::move(target)),
        nameless_(std::move(nameless)) {}
  NewFile(std::filesystem::path target, AtomicFile atomic)
      : target_(std::move(target)),
        atomic_(std::move(atomic)) {}
  Result<void> link(const std::filesystem::path& name) const;

  std::filesystem::path target_;
  Fd nameless_;
  std::optional<AtomicFile> atomic_;
};

}  // namespace berth::content
