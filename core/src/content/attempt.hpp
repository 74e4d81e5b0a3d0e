// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "berth/cache/cache.hpp"

#include "content/notifier.hpp"

namespace berth::content {

/// One attempt to have a blob, as the readers of this process share it. Thread safe.
class Attempt {
 public:
  explicit Attempt(std::shared_ptr<cache::Partial> partial)
      : partial_(std::move(partial)) {}

  cache::Partial& partial() const noexcept { return *partial_; }
  const std::shared_ptr<ReadCount>& reads() const noexcept { return reads_; }
  /// True for the first caller only: the attempt was found failed.
  bool end() noexcept { return !ended_.exchange(true); }

 private:
  const std::shared_ptr<cache::Partial> partial_;
  const std::shared_ptr<ReadCount> reads_ = std::make_shared<ReadCount>();
  std::atomic<bool> ended_ = false;
};

}  // namespace berth::content
