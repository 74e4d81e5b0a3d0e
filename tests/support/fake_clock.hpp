// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "berth/base/clock.hpp"
#include "berth/base/sync.hpp"

namespace berth::test {

/// A clock that stands still: its time moves when a test says so, and when somebody sleeps, which
/// takes no time at all. Thread safe. A Context's deadline is of the real steady clock, and does
/// not move with it.
class FakeClock final : public Clock {
 public:
  /// Starts on 2026-01-01 00:00:00 UTC.
  FakeClock();

  SystemTime now() const override;
  SteadyTime ticks() const override;
  /// Moves the time on by `time` at once; fails, without moving it, when `context` has ended.
  Result<void> sleep(std::chrono::nanoseconds time, const Context& context) override;

  /// Time goes by: both clocks move.
  void advance(std::chrono::nanoseconds time);
  /// Somebody sets the wall clock, forwards or back: only now() moves.
  void set_now(SystemTime now);
  /// How long each sleep so far was, in their order.
  std::vector<std::chrono::nanoseconds> sleeps() const;

 private:
  mutable Mutex mutex_;
  SystemTime now_ BERTH_GUARDED_BY(mutex_);
  SteadyTime ticks_ BERTH_GUARDED_BY(mutex_);
  std::vector<std::chrono::nanoseconds> sleeps_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::test
