// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "berth/base/sync.hpp"
#include "berth/content/store.hpp"

#include "content/notifier.hpp"
#include "content/scheduler.hpp"

namespace berth::content {

class Fetch;

/// StoreCounters as they are counted.
struct Counting {
  std::atomic<std::uint64_t> cache_hits = 0, cache_misses = 0;
  std::atomic<std::uint64_t> bytes_fetched = 0, bytes_from_cache = 0;
  std::atomic<std::uint64_t> digest_mismatches = 0, bypassed = 0;
};

/// What the parts of a Store share. Readers keep it alive beyond the Store; after shutdown()
/// nothing runs any more and their reads end with Errc::cancelled. Thread safe.
struct Core {
  Core(cache::Cache& the_cache, StoreOptions the_options);

  /// The fetch of a blob: one for all readers of this process. Errc::conflict while it is read as
  /// one of another size: two manifests promise different things, and one of them lies.
  Result<std::shared_ptr<Fetch>> fetch(const std::shared_ptr<Core>& self, const Digest& digest,
                                       std::uint64_t size) BERTH_EXCLUDES(mutex);
  void shutdown() BERTH_EXCLUDES(mutex);

  /// Is the whole digest wanted before the first byte? So it is for configs of any size.
  bool verifies_first(const Digest& digest, std::uint64_t size) BERTH_EXCLUDES(mutex);
  /// A manifest names it as its config.
  void note_config(const oci::Descriptor& config) BERTH_EXCLUDES(mutex);

  /// Bytes arrived: brings the cache to a sync point now and then, on a thread that fetches nothing
  /// meanwhile, so that the machine's end does not cost a whole download.
  void sync_when_due();

  cache::Cache& cache;
  const StoreOptions options;
  Scheduler scheduler;
  Notifier notifier;
  Counting counting;
  std::atomic<bool> closed = false;
  std::atomic<bool> syncing = false;
  std::atomic<std::uint64_t> synced_bytes = 0;    ///< fetched when the last one began
  std::atomic<Clock::SteadyTime::rep> synced_at;  ///< and when that was

  Mutex mutex;
  std::map<Digest, std::weak_ptr<Fetch>> fetches BERTH_GUARDED_BY(mutex);
  std::set<Digest> large_configs BERTH_GUARDED_BY(mutex);
  /// Identity of local files (layouts) that were found right: see local_reader.cpp.
  std::set<std::string> verified_files BERTH_GUARDED_BY(mutex);
};

}  // namespace berth::content
