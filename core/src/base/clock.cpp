// SPDX-License-Identifier: Apache-2.0
#include "berth/base/clock.hpp"

#include "berth/base/sync.hpp"
#include "berth/base/try.hpp"

namespace berth {
namespace {

class RealClock final : public Clock {
 public:
  SystemTime now() const override { return std::chrono::system_clock::now(); }
  SteadyTime ticks() const override { return std::chrono::steady_clock::now(); }

  Result<void> sleep(std::chrono::nanoseconds time, const Context& context) override {
    const Context nap = Context().with_timeout(time);
    Mutex mutex;
    CondVar never;  // nobody else can notify it: only time and the context end the wait
    const MutexLock lock(mutex);
    for (;;) {
      TRY(context.check());
      const auto left = nap.remaining(time);
      if (left <= left.zero()) return {};
      if (context.is_nonblocking()) {
        return Error(Errc::would_block, "the operation would have to wait");
      }
      never.wait_for(mutex, left, context);
    }
  }
};

}  // namespace

Clock& real_clock() {
  static RealClock& clock = *new RealClock;  // never destroyed: threads may outlive the statics
  return clock;
}

}  // namespace berth
