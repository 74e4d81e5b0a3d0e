// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "berth/base/sync.hpp"

namespace berth::content {

/// One thread at a time does work that may take long. Unlike a mutex it is waited for as a Context
/// allows. Thread safe.
class Turns {
 public:
  /// Gives the turn back. Must not outlive the Turns.
  class Held {
   public:
    explicit Held(Turns& turns)
        : turns_(turns) {}
    ~Held() { turns_.end(); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

   private:
    Turns& turns_;
  };

  /// True: hold it at once.
  bool try_begin() BERTH_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return !std::exchange(busy_, true);
  }
  /// Waits for it; then hold it at once. The error of the Context; would_block for a non-blocking
  /// one while another has it.
  Result<void> begin(const Context& context) BERTH_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (busy_) {
      if (context.is_nonblocking()) return Error(Errc::would_block, "another thread is at it");
      if (auto running = context.check(); !running) return running;
      free_.wait(mutex_, context);
    }
    busy_ = true;
    return {};
  }

 private:
  void end() BERTH_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    busy_ = false;
    free_.notify_all();
  }

  Mutex mutex_;
  CondVar free_;
  bool busy_ BERTH_GUARDED_BY(mutex_) = false;
};

}  // namespace berth::content
