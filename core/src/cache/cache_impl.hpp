// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <unordered_map>

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
  std::shared_ptr<Partial> known_partial(const Digest& digest, std::uint64_t size)
      BERTH_REQUIRES(join_mutex);
  std::vector<std::shared_ptr<Partial>> live_partials();

  const Options options;
  mutable Mutex mutex;
  std::shared_ptr<Store> current BERTH_GUARDED_BY(mutex);
  /// Held while a partial blob is opened, so that this process opens each once. Before `mutex`.
  Mutex join_mutex;
  std::unordered_map<Digest, std::weak_ptr<Partial>> partials BERTH_GUARDED_BY(join_mutex);
  std::unique_ptr<Remembered> remembered;
  IndexFile index;
  std::atomic<bool> index_stale{false};
};

/// remembered.cpp. `store` gives the one that is current.
std::unique_ptr<Remembered> make_remembered(std::function<std::shared_ptr<Store>()> store);

}  // namespace berth::cache
