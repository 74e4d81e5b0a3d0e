// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>

#include "berth/base/sync.hpp"

namespace berth::content {

/// Lets one thread at a time work on a key; the others wait, and then find what it left. Thread
/// safe.
class SingleFlight {
 public:
  class Turn {
   public:
    Turn(SingleFlight& flight, std::string key)
        : flight_(flight),
          key_(std::move(key)) {}
    ~Turn() { flight_.leave(key_); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    SingleFlight& flight_;
    const std::string key_;
  };

  /// Waits for the key. The error of the Context when that ends first; else hold a Turn at once.
  Result<void> enter(const std::string& key, const Context& context) BERTH_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (busy_.contains(key)) {
      if (context.is_nonblocking()) return Error(Errc::would_block, "another thread asks for it");
      if (auto running = context.check(); !running) return running;
      changed_.wait(mutex_, context);
    }
    busy_.insert(key);
    return {};
  }

 private:
  void leave(const std::string& key) BERTH_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    busy_.erase(key);
    changed_.notify_all();
  }

  Mutex mutex_;
  CondVar changed_;
  std::set<std::string> busy_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::content
