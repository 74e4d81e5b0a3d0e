// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "berth/base/result.hpp"

namespace berth::cli {

/// The program that serves a mount. The command and it know each other by name only.
Result<std::filesystem::path> find_berthfs();

}  // namespace berth::cli
