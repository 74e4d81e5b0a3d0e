// SPDX-License-Identifier: Apache-2.0
#include "exit_status.hpp"

#include "berth/base/text.hpp"

#include "remedy.hpp"

namespace berth::cli {

ExitStatus exit_status_of(const Error& error) noexcept {
  switch (error.code()) {
    case Errc::invalid_argument:
      // A registry's 400 is no fault of the command line.
      return error.http() != nullptr ? kFailed : kWrongUse;
    case Errc::not_found:
      return kNotFound;
    case Errc::unauthenticated:
    case Errc::denied:
      return kNotAllowed;
    case Errc::cancelled:
      return kInterrupted;
    default:
      return kFailed;
  }
}

std::string error_sentence(const Error& error) {
  std::string line = "berth: " + error.describe() + remedy(error);
  if (error.http() != nullptr && !error.http()->correlation_id.empty()) {
    line += " (correlation id " + error.http()->correlation_id + ")";
  }
  return text::escape_for_terminal(line);
}

}  // namespace berth::cli
