// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "berth/base/context.hpp"
#include "berth/base/result.hpp"

namespace berth::cli {

/// The program that serves a mount. The command and it know each other by name only.
Result<std::filesystem::path> find_berthfs();

/// Runs it, waits, and gives its exit status, which is what the command's would be; what it says
/// goes to standard error.
Result<int> run_berthfs(std::vector<std::string> arguments, const Context& context);

}  // namespace berth::cli
