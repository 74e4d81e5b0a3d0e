// SPDX-License-Identifier: Apache-2.0
#include <deque>
#include <string>

#include "berth/base/sync.hpp"
#include "berth/tree/tree.hpp"

namespace berth::tree {

struct LogRing::Impl {
  explicit Impl(std::size_t most)
      : limit(most) {}
  const std::size_t limit;
  mutable Mutex mutex;
  std::deque<std::string> lines BERTH_GUARDED_BY(mutex);
  std::size_t bytes BERTH_GUARDED_BY(mutex) = 0;
};

LogRing::LogRing(std::size_t bytes)
    : impl_(std::make_shared<Impl>(bytes)) {}

void LogRing::add(std::string_view line) {
  // One line that is longer than all there is room for would push out everything else.
  std::string kept(line.substr(0, impl_->limit / 2));
  kept += '\n';
  const MutexLock lock(impl_->mutex);
  impl_->bytes += kept.size();
  impl_->lines.push_back(std::move(kept));
  while (impl_->bytes > impl_->limit && impl_->lines.size() > 1) {
    impl_->bytes -= impl_->lines.front().size();
    impl_->lines.pop_front();
  }
}

std::string LogRing::text() const {
  const MutexLock lock(impl_->mutex);
  std::string text;
  text.reserve(impl_->bytes);
  for (const std::string& line : impl_->lines) text += line;
  return text;
}

LogRing& LogRing::process() {
  // Never destroyed: threads may log while the process ends.
  static LogRing* const ring = new LogRing();
  return *ring;
}

}  // namespace berth::tree
