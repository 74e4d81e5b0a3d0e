// SPDX-License-Identifier: Apache-2.0
#include "pool.hpp"

#include <algorithm>

#include "berth/base/log.hpp"

namespace berth::fuse {
Pool::Pool(PoolOptions options)
    : options_(std::move(options)) {}

Pool::~Pool() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    while (threads_ > 0) wake_.wait(mutex_);
  }
  join_ended();
}

bool Pool::submit(std::uint64_t key, const void* id, Task task) {
  join_ended();
  MutexLock lock(mutex_);
  if (stopping_ || waiting_.size() >= options_.max_waiting) return false;
  waiting_.push_back({.key = key, .id = id, .task = std::move(task)});
  start_thread_if_needed();
  if (threads_ > 0) {
    wake_.notify_one();
    return true;
  }
  waiting_.pop_back();  // not one thread could be made
  return false;
}

void Pool::hurry(const void* id) {
  MutexLock lock(mutex_);
  const auto place = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const Waiting& waiting) { return waiting.id == id; });
  if (place == waiting_.end() || place->hurried) return;
  place->hurried = true;
  ++hurried_;
  start_thread_if_needed();
  wake_.notify_all();
}

/// One more thread, unless an idle one will take what waits or there are enough.
void Pool::start_thread_if_needed() {
  if (idle_ >= waiting_.size()) return;
  if (threads_ >= options_.max_threads + hurried_) return;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, options_.stack);
  pthread_t thread{};
  if (pthread_create(&thread, &attributes, &Pool::thread_main, this) == 0) {
    pthread_setname_np(thread, options_.name.c_str());
    ++threads_;
  } else {
    log::error("cannot make a thread: reads wait for those that there are");
  }
  pthread_attr_destroy(&attributes);
}

void* Pool::thread_main(void* pool) {
  static_cast<Pool*>(pool)->work();
  return nullptr;
}

bool Pool::may_run(const Waiting& waiting) const {
  if (waiting.hurried) return true;
  if (hurried_ > 0 || running_ >= options_.max_threads) return false;
  const auto running = running_by_key_.find(waiting.key);
  return running == running_by_key_.end() || running->second < options_.max_per_key;
}

/// The first task in line that the caps let run. Hurried ones first.
bool Pool::next(Waiting& out) {
  for (auto place = waiting_.begin(); place != waiting_.end(); ++place) {
    if (!may_run(*place)) continue;
    out = std::move(*place);
    waiting_.erase(place);
    if (out.hurried) --hurried_;
    return true;
  }
  return false;
}

void Pool::work() {
  bool rested = false;
  mutex_.lock();
  for (;;) {
    Waiting job;
    if (next(job)) {
      const std::uint64_t key = job.key;
      ++running_;
      ++running_by_key_[key];
      mutex_.unlock();
      job.task();
      job.task = nullptr;  // what it holds is let go without the lock
      mutex_.lock();
      --running_;
      if (--running_by_key_[key] == 0) running_by_key_.erase(key);
      rested = false;
      continue;
    }
    // What still waits is held back by a cap: the thread that ends its predecessor takes it.
    if (rested || threads_ > options_.max_threads || (stopping_ && waiting_.empty())) break;
    const auto before = std::chrono::steady_clock::now();
    ++idle_;
    wake_.wait_for(mutex_, options_.idle);
    --idle_;
    rested = std::chrono::steady_clock::now() - before >= options_.idle;
  }
  --threads_;
  ended_.push_back(pthread_self());
  wake_.notify_all();
  mutex_.unlock();
}

void Pool::join_ended() {
  std::vector<pthread_t> ended;
  {
    MutexLock lock(mutex_);
    ended.swap(ended_);
  }
  for (const pthread_t thread : ended) pthread_join(thread, nullptr);
}

Pool::Load Pool::load() const {
  MutexLock lock(mutex_);
  return {.threads = threads_, .running = running_, .waiting = waiting_.size()};
}

}  // namespace berth::fuse
