// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <unordered_map>

#include "berth/base/single_flight.hpp"
#include "berth/cache/cache.hpp"

#include "cache/store.hpp"

namespace berth::cache {

struct Cache::Impl {
  explicit Impl(Options given)
      : options(std::move(given)) {}

  std::shared_ptr<Store> store() const;
  /// The same, after a look whether the folder is still there; opens it anew where it was removed.
  Result<std::shared_ptr<Store>> live_store() BERTH_EXCLUDES(reopening, mutex);
  Result<std::shared_ptr<Store>> reopen() BERTH_EXCLUDES(reopening, mutex);
  /// The one that this process has joined; nullptr: none that lives.
  std::shared_ptr<Partial> known_partial(const Digest& digest) BERTH_EXCLUDES(join_mutex);
  Result<std::shared_ptr<Partial>> open_partial(const Digest& digest, std::uint64_t size,
                                                const Context& context) BERTH_EXCLUDES(join_mutex);
  /// The folders of the partial blobs that were joined since it was last asked.
  std::vector<std::string> take_joined() BERTH_EXCLUDES(join_mutex);
  static void sync_partials(Store& store, const std::vector<std::string>& names);

  const Options options;
  Mutex reopening;  ///< before `mutex`
  mutable Mutex mutex;
  std::shared_ptr<Store> current BERTH_GUARDED_BY(mutex);
  std::atomic<bool> warned_open{false};
  /// This process opens each partial blob once: the locks of two would not see one another.
  SingleFlight<std::shared_ptr<Partial>> joins;
  Mutex join_mutex;
  std::unordered_map<Digest, std::weak_ptr<Partial>> partials BERTH_GUARDED_BY(join_mutex);
  std::set<std::string> joined BERTH_GUARDED_BY(join_mutex);
  std::unique_ptr<Remembered> remembered;
};

/// remembered.cpp. `store` gives the one that is current.
std::unique_ptr<Remembered> make_remembered(std::function<std::shared_ptr<Store>()> store);

}  // namespace berth::cache
