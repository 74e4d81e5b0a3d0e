// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "berth/base/log.hpp"
#include "berth/base/result.hpp"

namespace berth::fuse {

/// Sends this process's log to .berth/log, to standard error until log_to_terminal(false), and to a
/// file when one is named (rotated at 4 MiB, two old ones kept). Call it once, before threads.
Result<void> start_log(const std::filesystem::path& file, log::Level level);
void log_to_terminal(bool wanted) noexcept;

}  // namespace berth::fuse
