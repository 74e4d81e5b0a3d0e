// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "berth/base/context.hpp"

namespace berth {

/// Time, as a seam that tests replace. Thread safe.
class Clock {
 public:
  using SystemTime = std::chrono::system_clock::time_point;
  using SteadyTime = std::chrono::steady_clock::time_point;

  virtual ~Clock() = default;
  virtual SystemTime now() const = 0;    ///< for what is written down: token expiry, mtimes
  virtual SteadyTime ticks() const = 0;  ///< for what is measured: times to live, back-off
  /// Sleeps; ends early, with its error, when the Context ends.
  virtual Result<void> sleep(std::chrono::nanoseconds time, const Context& context) = 0;
};

/// The machine's clock; lives for ever.
Clock& real_clock();

}  // namespace berth
