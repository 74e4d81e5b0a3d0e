// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/base/result.hpp"
#include "berth/base/secret.hpp"

#include "io.hpp"

namespace berth::cli {

/// All that a pipe or file gives, its last line ends dropped: what --password-stdin reads.
Result<Secret> read_password(int fd);

/// Asks at the terminal on standard input, without an echo. Errors: invalid_argument, naming
/// --password-stdin, where that is none.
Result<Secret> ask_password(Io& io, const std::string& prompt);
/// Asks for a line with its echo.
Result<std::string> ask_line(Io& io, const std::string& prompt);

}  // namespace berth::cli
