// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "berth/base/result.hpp"

namespace berth::fuse {

/// A line of /proc/self/mountinfo (proc(5)), as far as it matters here.
struct Mounted {
  std::string device;  ///< "0:51"
  std::string mount_point;
  std::string type;  ///< "fuse.berth"
  std::string source;
};

/// What is mounted at `mount_point`: the last one where several are. `mountinfo` is the file's
/// text.
std::optional<Mounted> find_mounted(std::string_view mountinfo, std::string_view mount_point);

/// The mount of berth at `mount_point`, its path without symbolic links. A dead one counts: its
/// server need not be there. Errc::not_found where nothing, or another file system, is mounted.
Result<Mounted> find_mount_of_berth(const std::filesystem::path& mount_point);

/// Unmounts what find_mount_of_berth() finds, by umount(2) as root and by fusermount3 else.
/// `lazy`: from sight at once, for good when nobody uses it. Errc::conflict while it is in use.
Result<void> unmount(const std::filesystem::path& mount_point, bool lazy);

/// Makes sure that one can mount there, and gives the path without symbolic links. A mount point
/// that a killed berthfs left behind ("Transport endpoint is not connected") is unmounted first.
/// Errors, each with the remedy: not_found, invalid_argument (no folder), conflict (something is
/// mounted that is not ours to remove, or a live berthfs).
Result<std::filesystem::path> prepare_mount_point(const std::filesystem::path& mount_point);

/// Is `path` the folder itself or below it? Symbolic links in what exists of both are followed.
bool is_within(const std::filesystem::path& path, const std::filesystem::path& folder);

/// Lets the kernel read further ahead than its 128 KiB: several times the speed of a first read
/// from the cache. Only root may; without effect else.
void raise_read_ahead(const std::filesystem::path& mount_point);

}  // namespace berth::fuse
