// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "berth/base/sync.hpp"

#include "credential/auth_file.hpp"

namespace berth::credential {

/// Parsed credential files, parsed again when the file on disk is another one or has changed.
/// Thread safe.
class AuthFiles {
 public:
  /// Errc::not_found when absent, denied when it may not be read, corrupt when it is broken.
  Result<std::shared_ptr<const AuthFile>> load(const std::filesystem::path& path,
                                               AuthFileForm form);

 private:
  /// Tools replace the file (another inode) or rewrite it in place (another time or size).
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified_ns = 0;
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  struct Entry {
    Identity identity;
    std::shared_ptr<const AuthFile> file;
  };

  void warn_if_open_to_others(const std::filesystem::path& path, mode_t mode, const AuthFile& file)
      BERTH_REQUIRES(mutex_);

  Mutex mutex_;
  std::map<std::filesystem::path, Entry> entries_ BERTH_GUARDED_BY(mutex_);
  std::set<std::filesystem::path> warned_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::credential
