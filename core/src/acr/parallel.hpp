// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace berth::acr {

/// Calls `work(i)` for each i below `count`, in order, from up to `threads` threads; until one of
/// them answers false. Returns when all calls have.
inline void for_each(std::size_t count, int threads, const std::function<bool(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> go_on = true;
  const auto run = [&] {
    for (std::size_t i = next++; i < count && go_on; i = next++) {
      if (!work(i)) go_on = false;
    }
  };
  std::vector<std::jthread> others;
  const auto wanted = std::min(count, static_cast<std::size_t>(std::max(1, threads)));
  for (std::size_t i = 1; i < wanted; ++i) others.emplace_back(run);
  run();
}

}  // namespace berth::acr
