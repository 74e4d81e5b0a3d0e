// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "berth/base/sync.hpp"

namespace berth::fuse {

/// Open things by the number that the kernel carries for them. A call that is still being served
/// keeps its thing alive beyond the release. Thread safe.
template <class T>
class Handles {
 public:
  std::uint64_t add(std::shared_ptr<T> thing) {
    MutexLock lock(mutex_);
    things_.emplace(++last_, std::move(thing));
    return last_;
  }
  /// nullptr for a number that is not open.
  std::shared_ptr<T> find(std::uint64_t number) const {
    MutexLock lock(mutex_);
    const auto place = things_.find(number);
    return place == things_.end() ? nullptr : place->second;
  }
  std::shared_ptr<T> take(std::uint64_t number) {
    MutexLock lock(mutex_);
    const auto place = things_.find(number);
    if (place == things_.end()) return nullptr;
    std::shared_ptr<T> thing = std::move(place->second);
    things_.erase(place);
    return thing;
  }

 private:
  mutable Mutex mutex_;
  std::unordered_map<std::uint64_t, std::shared_ptr<T>> things_ BERTH_GUARDED_BY(mutex_);
  std::uint64_t last_ BERTH_GUARDED_BY(mutex_) = 0;
};

}  // namespace berth::fuse
