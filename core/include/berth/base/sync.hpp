// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>

#include "berth/base/context.hpp"

#if defined(__clang__)
#define BERTH_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define BERTH_THREAD_ANNOTATION(x)
#endif
#define BERTH_CAPABILITY(x) BERTH_THREAD_ANNOTATION(capability(x))
#define BERTH_SCOPED_CAPABILITY BERTH_THREAD_ANNOTATION(scoped_lockable)
#define BERTH_GUARDED_BY(x) BERTH_THREAD_ANNOTATION(guarded_by(x))
#define BERTH_REQUIRES(...) BERTH_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define BERTH_EXCLUDES(...) BERTH_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define BERTH_ACQUIRE(...) BERTH_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define BERTH_RELEASE(...) BERTH_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define BERTH_NO_THREAD_SAFETY_ANALYSIS BERTH_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace berth {

/// std::mutex that clang's thread-safety analysis understands (libstdc++'s carries no attribute).
/// Lock order, outermost first; a thread may only take a lock to the right of those it holds:
///   fuse inode table -> tree caches -> content fetch -> cache partial -> cache folder ->
///   registry (turns) -> auth token -> auth identity -> acr (pipeline, watch) -> http loop ->
///   http outgoing -> log
class BERTH_CAPABILITY("mutex") Mutex {
 public:
  void lock() BERTH_ACQUIRE() { mutex_.lock(); }
  void unlock() BERTH_RELEASE() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class BERTH_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) BERTH_ACQUIRE(mutex)
      : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() BERTH_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// A condition on a Mutex. Waiting ends by notification, by the given time, or spuriously: always
/// wait in a loop on the condition itself.
class CondVar {
 public:
  void wait(Mutex& mutex) BERTH_REQUIRES(mutex);
  void wait_for(Mutex& mutex, std::chrono::nanoseconds time) BERTH_REQUIRES(mutex);
  /// Waits at most until `context` ends (deadline or cancellation both wake it).
  void wait(Mutex& mutex, const Context& context) BERTH_REQUIRES(mutex);
  /// The same, and at most `time`.
  void wait_for(Mutex& mutex, std::chrono::nanoseconds time, const Context& context)
      BERTH_REQUIRES(mutex);
  void notify_one() noexcept;
  void notify_all() noexcept;

 private:
  void sleep(Mutex& mutex, const std::optional<Context::TimePoint>& deadline,
             const std::stop_token& stop) BERTH_NO_THREAD_SAFETY_ANALYSIS;

  std::mutex inner_;  // innermost of all locks: nothing is taken under it
  std::condition_variable condition_;
};

}  // namespace berth
