// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/base/error.hpp"

namespace berth::cli {

/// What the command exits with (DESIGN section 8).
enum ExitStatus : int {
  kDone = 0,
  kFailed = 1,
  kWrongUse = 2,
  kNotFound = 3,
  kNotAllowed = 4,
  kInterrupted = 130,
};

ExitStatus exit_status_of(const Error& error) noexcept;

/// "berth: SENTENCE", escaped for a terminal, with what the registry said and the correlation id
/// after it.
std::string error_sentence(const Error& error);
/// The same for programs, {"error": {...}} on one line: message, code (Errc), exit_status, and what
/// the registry said.
std::string error_json(const Error& error);

}  // namespace berth::cli
