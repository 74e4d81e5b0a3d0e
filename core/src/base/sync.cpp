// SPDX-License-Identifier: Apache-2.0
#include "berth/base/sync.hpp"

#include <algorithm>
#include <stop_token>

namespace berth {

using std::chrono::nanoseconds;

// The lock that the condition sleeps on is `inner_`, not the caller's. A stop callback runs on the
// thread that requests the stop, or inside the constructor of std::stop_callback on the waiting
// thread itself, and its destructor waits for a running one. If the callback needed the caller's
// mutex, both would deadlock; if it needed no lock at all, a stop between the look at the token and
// the sleep would be lost. `inner_` is taken before the caller's mutex is let go and is held by
// nobody else but for the moment of a notification, so neither can happen. (The same idea as
// std::condition_variable_any, whose waits for a stop_token want a predicate.)
void CondVar::sleep(Mutex& mutex, const std::optional<Context::TimePoint>& deadline,
                    const std::stop_token& stop) {
  const auto wake = [this] { notify_all(); };
  std::optional<std::stop_callback<decltype(wake)>> on_stop;
  if (stop.stop_possible()) on_stop.emplace(stop, wake);
  {
    std::unique_lock inner(inner_);
    if (stop.stop_requested()) return;
    mutex.unlock();
    if (deadline) {
      // steady_clock: glibc waits by pthread_cond_clockwait, which does not care when somebody sets
      // the wall clock, and which ThreadSanitizer follows from GCC 11 and LLVM 12 on.
      condition_.wait_until(inner, *deadline);
    } else {
      condition_.wait(inner);
    }
  }
  mutex.lock();
}

namespace {

std::optional<Context::TimePoint> after(nanoseconds time) {
  const Context::TimePoint now = std::chrono::steady_clock::now();
  if (time > Context::TimePoint::max() - now) return std::nullopt;
  return now + time;
}

std::optional<Context::TimePoint> earlier(const std::optional<Context::TimePoint>& a,
                                          const std::optional<Context::TimePoint>& b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

}  // namespace

void CondVar::wait(Mutex& mutex) { sleep(mutex, std::nullopt, {}); }

void CondVar::wait_for(Mutex& mutex, nanoseconds time) { sleep(mutex, after(time), {}); }

void CondVar::wait(Mutex& mutex, const Context& context) {
  sleep(mutex, context.deadline(), context.stop());
}

void CondVar::wait_for(Mutex& mutex, nanoseconds time, const Context& context) {
  sleep(mutex, earlier(after(time), context.deadline()), context.stop());
}

void CondVar::notify_one() noexcept {
  const std::lock_guard inner(inner_);
  condition_.notify_one();
}

void CondVar::notify_all() noexcept {
  const std::lock_guard inner(inner_);
  condition_.notify_all();
}

}  // namespace berth
