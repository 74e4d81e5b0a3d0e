// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ostream>

#include <gmock/gmock.h>

#include "berth/base/result.hpp"

namespace berth {
inline void PrintTo(const Error& error, std::ostream* out) {
  *out << to_string(error.code()) << ": " << error.describe();
}
}  // namespace berth

namespace berth::test {

/// The Result holds a value; on failure prints the error.
MATCHER(IsOk, negation ? "is an error" : "is ok") {
  if (arg) return true;
  *result_listener << "error " << to_string(arg.error().code()) << ": " << arg.error().describe();
  return false;
}

/// The Result holds a value that matches.
MATCHER_P(IsOkAndHolds, matcher, "is ok and holds a match") {
  if (!arg) {
    *result_listener << "error " << to_string(arg.error().code()) << ": " << arg.error().describe();
    return false;
  }
  return ::testing::ExplainMatchResult(matcher, *arg, result_listener);
}

/// The Result holds an error of this code.
MATCHER_P(HasCode, code, "") {
  if (arg) {
    *result_listener << "is ok";
    return false;
  }
  *result_listener << "error " << to_string(arg.error().code()) << ": " << arg.error().describe();
  return arg.error().code() == code;
}

}  // namespace berth::test
