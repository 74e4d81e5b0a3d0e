// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace berth::cache {

/// Named instants at which tests stop, kill or starve the process. One relaxed load otherwise.
using FaultHook = void (*)(const char* point);
inline std::atomic<FaultHook> fault_hook{nullptr};

inline void fault_point(const char* point) {
  if (FaultHook hook = fault_hook.load(std::memory_order_relaxed)) hook(point);
}

/// What the file system of the cache has free, where a test says so. nullptr: what it has.
inline std::atomic<std::uint64_t (*)()> free_space_hook{nullptr};

}  // namespace berth::cache
