// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>

#include "berth/base/fd.hpp"

namespace berth::fuse {

/// The berthfs that serves a mount, as a pidfd_open(2) descriptor, so that it is the one that was
/// looked at. None where nobody serves it, or it does not answer within 2 s (it may be stopped), or
/// the mount has no .berth. Any file may bear that name: ask of mounts of berth alone. Call it
/// before any thread is made: it forks.
Fd find_server(const std::filesystem::path& mount_point);

/// False: it has not ended within `limit`.
bool wait_for_end_of(const Fd& process, std::chrono::milliseconds limit);

}  // namespace berth::fuse
