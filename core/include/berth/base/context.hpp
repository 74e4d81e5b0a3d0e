// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>

#include "berth/base/result.hpp"

namespace berth {

/// How long a blocking call may take, and who may stop it. Cheap to copy; immutable; safe to share
/// between threads. The default Context never ends.
class Context {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  Context() = default;

  /// The earlier of this context's deadline and now + `timeout`.
  Context with_timeout(std::chrono::nanoseconds timeout) const;
  Context with_deadline(TimePoint deadline) const;
  /// Replaces the token: cancelling it ends the calls that were given the new context.
  Context with_stop(std::stop_token token) const;
  /// A call that would need the network or a wait answers Errc::would_block instead.
  Context nonblocking() const;

  bool is_nonblocking() const noexcept { return nonblocking_; }
  std::optional<TimePoint> deadline() const noexcept { return deadline_; }
  /// What is left, at most `cap`; zero when the deadline passed.
  std::chrono::nanoseconds remaining(std::chrono::nanoseconds cap) const;
  const std::stop_token& stop() const noexcept { return stop_; }

  /// Errc::cancelled or Errc::timeout when this context has ended.
  Result<void> check() const;

 private:
  std::optional<TimePoint> deadline_;
  std::stop_token stop_;
  bool nonblocking_ = false;
};

}  // namespace berth
