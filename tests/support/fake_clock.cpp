// SPDX-License-Identifier: Apache-2.0
#include "support/fake_clock.hpp"

#include "berth/base/try.hpp"

namespace berth::test {

using std::chrono::nanoseconds;

FakeClock::FakeClock()
    : now_(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1)),
      // Not zero: "never" is often the epoch.
      ticks_(std::chrono::hours(24)) {}

Clock::SystemTime FakeClock::now() const {
  const MutexLock lock(mutex_);
  return now_;
}

Clock::SteadyTime FakeClock::ticks() const {
  const MutexLock lock(mutex_);
  return ticks_;
}

Result<void> FakeClock::sleep(nanoseconds time, const Context& context) {
  TRY(context.check());
  if (time <= nanoseconds::zero()) return {};
  if (context.is_nonblocking()) {
    return Error(Errc::would_block, "the operation would have to wait");
  }
  const MutexLock lock(mutex_);
  sleeps_.push_back(time);
  now_ += std::chrono::duration_cast<SystemTime::duration>(time);
  ticks_ += time;
  return {};
}

void FakeClock::advance(nanoseconds time) {
  const MutexLock lock(mutex_);
  now_ += std::chrono::duration_cast<SystemTime::duration>(time);
  ticks_ += time;
}

void FakeClock::set_now(SystemTime now) {
  const MutexLock lock(mutex_);
  now_ = now;
}

std::vector<nanoseconds> FakeClock::sleeps() const {
  const MutexLock lock(mutex_);
  return sleeps_;
}

}  // namespace berth::test
