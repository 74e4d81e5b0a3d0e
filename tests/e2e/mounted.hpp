// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "support/child_process.hpp"
#include "support/temp_dir.hpp"

namespace berth::test {

/// berthfs's command line with an environment of its own: nothing of the user's is read or written.
std::vector<std::string> berthfs_command(const TempDir& home, std::vector<std::string> arguments);

/// A mount served by a berthfs in the foreground, a child of the test. Unmounted, lazily if need
/// be, and its server ended, when this goes, whatever the test did to it.
class Mounted {
 public:
  /// `options` go to -o. Throws std::runtime_error, with what berthfs said, when it does not serve.
  explicit Mounted(const std::string& target, const std::string& options = {});
  /// On a mount point and with a cache that others used before.
  Mounted(std::shared_ptr<TempDir> home, const std::string& target, const std::string& options);
  ~Mounted();
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;

  std::string path(const std::string& name = "") const { return (*home_ / "mnt" / name).string(); }
  const std::shared_ptr<TempDir>& home() const { return home_; }
  ChildProcess& server() { return *server_; }

 private:
  void await();
  std::shared_ptr<TempDir> home_;
  std::unique_ptr<ChildProcess> server_;
};

/// umount2(2) without flags, again for a while as long as it is EBUSY: on a busy machine what
/// looked at the mount a moment ago may hold it yet. 0, or the errno.
int unmount_when_idle(const std::string& path);

/// The whole file, or -errno of the call that failed; `got` has what came before.
long read_file_to_end(const std::string& path, std::string& got);

}  // namespace berth::test
