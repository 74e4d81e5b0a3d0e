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
///
/// Lock order, outermost first: a thread that holds a lock may only take one that stands further
/// down, or further right in its line. Named by layer and file; lint.locks compares the list with
/// the code.
///   fuse/inodes, fuse/handles, fuse/filesystem, fuse/notifier, fuse/page_guard, fuse/passthrough,
///   fuse/pool, fuse/buffers
///   tree/node, tree/tags, tree/properties, tree/heads, tree/listings, tree/holdings,
///   tree/manifests, tree/away
///   content/hub, content/lazy_source, content/store, content/crew, content/meter,
///   content/layout_source, content/acr_watch
///   content/fetch, content/fetch_reader, content/spread, content/scheduler, content/turn,
///   content/core, content/notifier
///   cache/cache_impl, cache/remembered, cache/partial_impl, cache/evictor, cache/journal,
///   cache/quota
///   acr/purge_run, acr/purge_manifests, acr/artifact, acr/pipeline
///   registry/turns, registry/learned
///   auth/identity_chain, auth/token_memory, auth/token_cache, auth/token_folder
///   credential/keychain, credential/auth_files, credential/helper_answers
///   http/client, http/curl_transport, http/curl_loop, http/curl_transfer, http/curl_outgoing,
///   http/tls_files
///   base/single_flight, base/open_file_limit, base/clock
///   base/log, tree/log_ring
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
