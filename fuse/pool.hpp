// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pthread.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "berth/base/sync.hpp"

namespace berth::fuse {

struct PoolOptions {
  std::string name;  ///< of its threads, at most 15 letters
  unsigned max_threads = 1;
  unsigned max_per_key = 1;              ///< threads that one key (a file) may hold at once
  std::size_t max_waiting = 1024;        ///< tasks that wait for a thread
  std::chrono::milliseconds idle{5000};  ///< a thread without work ends after this
  std::size_t stack = 512 * 1024;
};

/// Threads for calls that wait. They are made when they are needed and end when they are not; a
/// task that finds none free waits in line. Thread safe.
class Pool {
 public:
  using Task = std::function<void()>;

  explicit Pool(PoolOptions options);
  /// Every task that was taken is run; waits for the last one. Cancel what they wait for before.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Runs the task on some thread, some time. `id` is for hurry(). False, and nothing is taken,
  /// when too many wait.
  [[nodiscard]] bool submit(std::uint64_t key, const void* id, Task task);
  /// A task whose caller gave up need not wait for its turn: it is run at once, beyond every cap,
  /// since it will only say that it was cancelled. No effect when it is running already.
  void hurry(const void* id);

  struct Load {
    unsigned threads = 0;
    unsigned running = 0;
    std::size_t waiting = 0;
  };
  Load load() const;

 private:
  struct Waiting {
    std::uint64_t key;
    const void* id;
    Task task;
    bool hurried = false;
  };
  static void* thread_main(void* pool);
  void work();
  bool may_run(const Waiting& waiting) const BERTH_REQUIRES(mutex_);
  bool next(Waiting& out) BERTH_REQUIRES(mutex_);
  void start_thread_if_needed() BERTH_REQUIRES(mutex_);
  void join_ended();

  const PoolOptions options_;
  mutable Mutex mutex_;
  CondVar wake_;
  std::deque<Waiting> waiting_ BERTH_GUARDED_BY(mutex_);
  std::map<std::uint64_t, unsigned> running_by_key_ BERTH_GUARDED_BY(mutex_);
  std::vector<pthread_t> ended_ BERTH_GUARDED_BY(mutex_);
  unsigned threads_ BERTH_GUARDED_BY(mutex_) = 0;
  unsigned running_ BERTH_GUARDED_BY(mutex_) = 0;
  unsigned idle_ BERTH_GUARDED_BY(mutex_) = 0;
  std::size_t hurried_ BERTH_GUARDED_BY(mutex_) = 0;
  bool stopping_ BERTH_GUARDED_BY(mutex_) = false;
};

}  // namespace berth::fuse
