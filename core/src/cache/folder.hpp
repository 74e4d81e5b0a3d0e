// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "berth/base/clock.hpp"
#include "berth/base/fd.hpp"
#include "berth/digest/digest.hpp"

namespace berth::cache {

/// The open folder, checked: it is ours alone, and of a format that this berth reads. All names
/// below it are relative to root(), so that a folder moved aside and replaced is never mixed up.
class Folder {
 public:
  /// Makes it where it is missing. Errors as Cache::open's.
  static Result<Folder> open(const std::filesystem::path& path, std::string boot_id, Clock& clock);

  const std::filesystem::path& path() const noexcept { return path_; }
  int root() const noexcept { return root_.get(); }
  /// The file system or its permissions allow no change.
  bool read_only() const noexcept { return read_only_; }
  /// It is no cache any more: somebody removes it, or has removed it.
  bool is_gone() const noexcept;
  /// Others may look into it: its mode was changed since it was opened.
  bool is_open_to_others() const noexcept;
  const std::string& boot_id() const noexcept { return boot_id_; }
  Clock& clock() const noexcept { return *clock_; }

 private:
  Folder(std::filesystem::path path, Fd root, std::string boot_id, Clock& clock);
  Result<void> check_format();
  Result<void> create_format();
  Result<void> make_subfolders();

  std::filesystem::path path_;
  Fd root_;
  bool read_only_ = false;
  std::string boot_id_;
  Clock* clock_;
};

/// "blobs/sha256/<hex>" and "ingest/sha256-<hex>"; a Digest is only ever made by its parser, so a
/// path built from one stays below the folder.
std::string blob_name(const Digest& digest);
std::string ingest_name(const Digest& digest);

/// A name in ingest/ that no other process uses, for what is not under its own name yet.
/// Whatever starts with a dot is free to be deleted by a process that is alone on the folder.
std::string temporary_name(std::string_view purpose);

/// Removes a folder of the cache with all in it (two levels are enough). Errors are left: what
/// stays is found by the next clean-up.
void remove_tree(int dir_fd, const std::string& name) noexcept;

/// The names in a folder, without "." and "..". Empty when it cannot be read.
std::vector<std::string> names_in(int dir_fd, const std::string& name);

}  // namespace berth::cache
