// SPDX-License-Identifier: Apache-2.0
#include "berth/base/context.hpp"

#include <algorithm>

namespace berth {

using std::chrono::nanoseconds;

Context Context::with_timeout(nanoseconds timeout) const {
  const TimePoint now = std::chrono::steady_clock::now();
  // "As long as you like" is often spelled nanoseconds::max(): it must not wrap into the past.
  if (timeout > TimePoint::max() - now) return *this;
  return with_deadline(now + timeout);
}

Context Context::with_deadline(TimePoint deadline) const {
  Context copy = *this;
  copy.deadline_ = deadline_ ? std::min(*deadline_, deadline) : deadline;
  return copy;
}

Context Context::with_stop(std::stop_token token) const {
  Context copy = *this;
  copy.stop_ = std::move(token);
  return copy;
}

Context Context::nonblocking() const {
  Context copy = *this;
  copy.nonblocking_ = true;
  return copy;
}

nanoseconds Context::remaining(nanoseconds cap) const {
  if (!deadline_) return cap;
  const nanoseconds left = *deadline_ - std::chrono::steady_clock::now();
  return std::clamp(left, nanoseconds::zero(), std::max(cap, nanoseconds::zero()));
}

Result<void> Context::check() const {
  if (stop_.stop_requested()) return Error(Errc::cancelled, "the operation was cancelled");
  if (deadline_ && std::chrono::steady_clock::now() >= *deadline_) {
    return Error(Errc::timeout, "the time given to the operation is over");
  }
  return {};
}

}  // namespace berth
