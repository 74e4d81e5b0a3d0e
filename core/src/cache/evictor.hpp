// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "berth/base/sync.hpp"

#include "cache/store.hpp"

namespace berth::cache {

/// Removes what was used least recently, one thing at a time. Blobs that are open, partial blobs
/// that a process has joined, stay. Listings go last. Thread safe.
class Evictor {
 public:
  explicit Evictor(Store& store)
      : store_(store) {}

  /// Removes the next one. Returns the bytes that it held; nullopt when nothing more can go.
  std::optional<std::uint64_t> evict_one();

 private:
  enum class Kind : unsigned char { blob, partial, layer, remembered };
  struct Victim {
    Kind kind;
    std::int64_t last_used;
    std::string path;
    std::optional<Digest> digest;
  };
  void collect() BERTH_REQUIRES(mutex_);
  void collect_ingest() BERTH_REQUIRES(mutex_);
  void collect_below(const std::string& folder, Kind kind) BERTH_REQUIRES(mutex_);
  std::int64_t last_used(const Digest& digest, std::int64_t otherwise);
  std::optional<std::uint64_t> evict_from_list() BERTH_REQUIRES(mutex_);
  std::optional<std::uint64_t> evict(const Victim& victim);

  Store& store_;
  Mutex mutex_;
  std::vector<Victim> victims_ BERTH_GUARDED_BY(mutex_);  ///< the next one last
};

/// Bytes of blocks of a file or of a folder with all in it.
std::uint64_t allocated_below(int root, const std::string& path);

}  // namespace berth::cache
