// SPDX-License-Identifier: Apache-2.0
#include "berth/base/log.hpp"

#include <atomic>
#include <utility>

#include "berth/base/sync.hpp"

namespace berth::log {
namespace {

constexpr int kNothing = -1;

struct State {
  std::atomic<int> level = kNothing;
  Mutex mutex;
  Sink sink BERTH_GUARDED_BY(mutex);
};

/// Never destroyed: threads may log while the program's statics are being torn down.
State& state() {
  static State& instance = *new State;
  return instance;
}

}  // namespace

void set_sink(Sink sink, Level level) {
  State& s = state();
  const MutexLock lock(s.mutex);
  s.level = sink ? static_cast<int>(level) : kNothing;
  s.sink = std::move(sink);
}

bool enabled(Level level) noexcept {
  return static_cast<int>(level) <= state().level.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view line) {
  if (!enabled(level)) return;
  // A sink that logs would wait for itself: its lines are dropped.
  thread_local bool writing = false;
  if (writing) return;
  State& s = state();
  const MutexLock lock(s.mutex);
  if (!s.sink) return;
  writing = true;
  try {
    s.sink(level, line);
  } catch (...) {  // NOLINT(bugprone-empty-catch): a log line is never worth an operation
  }
  writing = false;
}

}  // namespace berth::log
