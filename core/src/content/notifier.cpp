// SPDX-License-Identifier: Apache-2.0
#include "content/notifier.hpp"

#include <utility>

namespace berth::content {

void ReadCount::enter() {
  MutexLock lock(mutex_);
  ++reads_;
}

void ReadCount::leave() {
  MutexLock lock(mutex_);
  if (--reads_ == 0) none_.notify_all();
}

void ReadCount::wait_until_none() {
  MutexLock lock(mutex_);
  while (reads_ > 0) none_.wait(mutex_);
}

Notifier::Notifier(std::function<void(const Digest&)> told)
    : told_(std::move(told)) {}

Notifier::~Notifier() { shutdown(); }

void Notifier::post(const Digest& digest, std::shared_ptr<ReadCount> reads) {
  if (!told_) return;
  MutexLock lock(mutex_);
  if (closed_) return;
  news_.push_back({digest, std::move(reads)});
  if (!thread_.joinable()) thread_ = std::thread([this]() noexcept { work(); });
  changed_.notify_all();
}

void Notifier::work() {
  for (;;) {
    std::deque<News> taken;
    {
      MutexLock lock(mutex_);
      while (news_.empty() && !closed_) changed_.wait(mutex_);
      if (closed_) return;
      taken.swap(news_);
    }
    for (const News& one : taken) {
      one.reads->wait_until_none();
      told_(one.digest);
    }
  }
}

void Notifier::shutdown() {
  {
    MutexLock lock(mutex_);
    closed_ = true;
    news_.clear();
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace berth::content
