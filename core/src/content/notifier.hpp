// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <thread>

#include "berth/base/sync.hpp"
#include "berth/digest/digest.hpp"

namespace berth::content {

/// Reads in progress over one attempt: the notifier waits until they are answered. Thread safe.
class ReadCount {
 public:
  void enter() BERTH_EXCLUDES(mutex_);
  void leave() BERTH_EXCLUDES(mutex_);
  void wait_until_none() BERTH_EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  CondVar none_;
  int reads_ BERTH_GUARDED_BY(mutex_) = 0;
};

class ReadGuard {
 public:
  explicit ReadGuard(ReadCount& count)
      : count_(count) {
    count_.enter();
  }
  ~ReadGuard() { count_.leave(); }
  ReadGuard(const ReadGuard&) = delete;
  ReadGuard& operator=(const ReadGuard&) = delete;

 private:
  ReadCount& count_;
};

/// Tells StoreOptions::on_dropped, on a thread that serves nothing: dropping the kernel's pages
/// blocks until the reads that it holds are answered. The thread starts with the first news.
class Notifier {
 public:
  explicit Notifier(std::function<void(const Digest&)> told);
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  /// Once `reads` has none in progress, tells of `digest`.
  void post(const Digest& digest, std::shared_ptr<ReadCount> reads) BERTH_EXCLUDES(mutex_);
  /// Forgets what is not told yet, and waits for the thread. Later news are dropped.
  void shutdown() BERTH_EXCLUDES(mutex_);

 private:
  struct News {
    Digest digest;
    std::shared_ptr<ReadCount> reads;
  };
  void work() BERTH_EXCLUDES(mutex_);

  const std::function<void(const Digest&)> told_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<News> news_ BERTH_GUARDED_BY(mutex_);
  bool closed_ BERTH_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace berth::content
