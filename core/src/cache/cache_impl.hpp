// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <unordered_map>

#include "berth/base/single_flight.hpp"
#include "berth/cache/cache.hpp"

#include "cache/index_file.hpp"
#include "cache/store.hpp"

namespace berth::cache {

struct Cache::Impl {
  explicit Impl(Options given)
      : options(std::move(given)) {}

  std::shared_ptr<Store> store() const;
  /// The same, after a look whether the folder is still there; opens it anew where it was removed.
  Result<std::shared_ptr<Store>> live_store();
  /// The one that this process has joined; nullptr: none that lives.
  std::shared_ptr<Partial> known_partial(const Digest& digest) BERTH_EXCLUDES(join_mutex);
  Result<std::shared_ptr<Partial>> open_partial(const Digest& digest, std::uint64_t size,
                                                const Context& context) BERTH_EXCLUDES(join_mutex);
  std::vector<std::shared_ptr<Partial>> live_partials();

  const Options options;
  mutable Mutex mutex;
  std::shared_ptr<Store> current BERTH_GUARDED_BY(mutex);
  /// This process opens each partial blob once: the locks of two would not see one another.
  SingleFlight<std::shared_ptr<Partial>> joins;
  Mutex join_mutex;
  std::unordered_map<Digest, std::weak_ptr<Partial>> partials BERTH_GUARDED_BY(join_mutex);
  std::unique_ptr<Remembered> remembered;
  IndexFile index;
  std::atomic<bool> index_stale{false};
};

/// remembered.cpp. `store` gives the one that is current.
std::unique_ptr<Remembered> make_remembered(std::function<std::shared_ptr<Store>()> store);

}  // namespace berth::cache
