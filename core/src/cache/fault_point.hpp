// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

namespace berth::cache {

/// Named instants at which tests stop, kill or starve the process. One relaxed load otherwise.
using FaultHook = void (*)(const char* point);
inline std::atomic<FaultHook> fault_hook{nullptr};

inline void fault_point(const char* point) {
  if (FaultHook hook = fault_hook.load(std::memory_order_relaxed)) hook(point);
}

}  // namespace berth::cache
