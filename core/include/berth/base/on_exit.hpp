// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

namespace berth {

/// Calls `action` when the scope is left, by a return or by an exception. It must not throw.
template <class Action>
class OnExit {
 public:
  explicit OnExit(Action action)
      : action_(std::move(action)) {}
  ~OnExit() { action_(); }
  OnExit(const OnExit&) = delete;
  OnExit& operator=(const OnExit&) = delete;

 private:
  Action action_;
};

}  // namespace berth
