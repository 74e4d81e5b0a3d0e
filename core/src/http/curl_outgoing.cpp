// SPDX-License-Identifier: Apache-2.0
#include "http/curl_outgoing.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"

namespace berth::http {

Result<Outgoing::Step> Outgoing::push(ByteView bytes, const Context& context) {
  const MutexLock lock(mutex_);
  while (!closed_ && queued_ != 0 && queued_ + bytes.size() > limits::kQueueBytes) {
    TRY(context.check());
    changed_.wait(mutex_, context);
  }
  if (closed_) return Step{.wanted = false};
  std::vector<std::byte> block;
  if (!spare_.empty()) {
    block = std::move(spare_.back());
    spare_.pop_back();
  }
  block.assign(bytes.begin(), bytes.end());
  queue_.push_back({.bytes = std::move(block)});
  queued_ += bytes.size();
  return Step{.wanted = true, .unpause = std::exchange(paused_, false)};
}

Outgoing::Step Outgoing::finish() {
  const MutexLock lock(mutex_);
  complete_ = true;
  return {.wanted = !closed_, .unpause = std::exchange(paused_, false)};
}

Outgoing::Portion Outgoing::take(std::span<std::byte> out) {
  const MutexLock lock(mutex_);
  if (closed_) return {.what = Taken::refused};
  if (queue_.empty()) {
    sent_all_ = complete_;
    paused_ = !complete_;
    return {.what = complete_ ? Taken::end : Taken::pause};
  }
  std::size_t size = 0;
  while (size < out.size() && !queue_.empty()) {
    Block& block = queue_.front();
    const std::size_t part = std::min(out.size() - size, block.bytes.size() - block.taken);
    std::memcpy(out.data() + size, block.bytes.data() + block.taken, part);
    block.taken += part;
    size += part;
    if (block.taken < block.bytes.size()) break;
    if (spare_.size() < 4) spare_.push_back(std::move(block.bytes));
    queue_.pop_front();
  }
  queued_ -= size;
  if (complete_ && queue_.empty()) sent_all_ = true;
  changed_.notify_all();
  return {.what = Taken::bytes, .size = size};
}

void Outgoing::close() {
  const MutexLock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

bool Outgoing::waits_for_caller() const {
  const MutexLock lock(mutex_);
  return paused_;
}

bool Outgoing::sent_all() const {
  const MutexLock lock(mutex_);
  return sent_all_;
}

}  // namespace berth::http
