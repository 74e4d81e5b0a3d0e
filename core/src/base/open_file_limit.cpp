// SPDX-License-Identifier: Apache-2.0
#include "berth/base/open_file_limit.hpp"

#include <sys/resource.h>

#include <optional>

#include "berth/base/sync.hpp"

namespace berth {
namespace {

struct State {
  Mutex mutex;
  std::optional<rlimit> original BERTH_GUARDED_BY(mutex);
};

/// Never destroyed: threads may start programs while the statics are being torn down.
State& state() {
  static State& instance = *new State;
  return instance;
}

bool set(const rlimit& limit) noexcept { return ::setrlimit(RLIMIT_NOFILE, &limit) == 0; }

}  // namespace

void raise_open_file_limit() noexcept {
  State& s = state();
  const MutexLock lock(s.mutex);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  if (set({.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max})) s.original = limit;
}

void restore_open_file_limit() noexcept {
  State& s = state();
  const MutexLock lock(s.mutex);
  if (s.original && set(*s.original)) s.original.reset();
}

int start_with_original_file_limit(int lowest_free, const std::function<int()>& start) {
  State& s = state();
  const MutexLock lock(s.mutex);
  rlimit raised{};
  const bool lowers = s.original && static_cast<rlim_t>(lowest_free) < s.original->rlim_cur / 2 &&
                      ::getrlimit(RLIMIT_NOFILE, &raised) == 0 && set(*s.original);
  const int result = start();
  if (lowers) set(raised);
  return result;
}

}  // namespace berth
