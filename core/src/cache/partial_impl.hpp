// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <unordered_map>

#include "berth/base/sync.hpp"
#include "berth/cache/partial.hpp"

#include "cache/ingest.hpp"
#include "cache/slow_watch.hpp"

namespace berth::cache {

/// One attempt, as this process sees it. `mutex` is never held while bytes are read, written or
/// hashed.
struct Partial::Impl {
  /// What a Download of this process holds.
  struct Owner {
    std::uint64_t token = 0;
    std::uint16_t generation = 0;
  };

  Impl(std::shared_ptr<Store> opened_store, Digest blob_digest, Ingest opened);
  ~Impl();

  // What is known of it.
  State state() const;
  std::uint64_t size() const noexcept { return ingest.map.size(); }
  std::uint64_t chunk_size(std::uint64_t index) const noexcept;
  bool is_full(std::uint64_t index) const noexcept;
  std::uint64_t available(std::uint64_t offset) const;
  int read_fd() const;
  std::int64_t ticks() const;
  /// A stamp of the map, older than kStall?
  bool is_stalled(std::atomic<std::int64_t>& stamp) const;
  Error dropped() const;
  void drop();

  // claims.cpp: who may write a chunk.
  /// The token of the claim; nullopt when it is full, closed or somebody else's. `fresh`: only a
  /// chunk that holds nothing yet. `own_rate`: as Partial::begin_download's.
  std::optional<Owner> claim(std::uint64_t index, bool fresh, std::uint64_t own_rate = 0);
  /// May the live holder of this chunk be passed by?
  bool may_pass(std::uint64_t index, const Chunk& chunk, std::uint64_t own_rate)
      BERTH_REQUIRES(mutex);
  bool owns(std::uint64_t index, const Chunk& chunk) const BERTH_REQUIRES(mutex);
  bool is_slow(std::uint64_t index);
  void give_back(std::uint64_t index, const Owner& owner);
  /// Reserves the chunk's room in the quota and on the disk.
  Result<void> reserve(std::uint64_t index, const Owner& owner);
  /// Where the last chunk in a row from `index` on ends that nobody holds or has begun.
  std::uint64_t free_until(std::uint64_t index);
  /// False: passed by, or closed.
  Result<bool> write_chunk(std::uint64_t index, const Owner& owner, ByteView bytes);

  // front.cpp: who hashes.
  /// Takes the front for this thread. `hasher` then continues at map.hashed().
  bool claim_front();
  void give_back_front();
  /// Keeps the front in this process between claims.
  void keep_front();
  void release_front();
  /// With the front: hashes from the file up to `end`, as far as there are bytes.
  Result<void> hash_file(std::uint64_t end, const Context& context);
  void hash_block(ByteView bytes);
  /// Hashes bytes that were just written at `offset`, where they continue the front.
  void hash_written(ByteView bytes, std::uint64_t offset);
  Result<std::uint64_t> advance(const Context& context);
  /// All bytes are there, and so few of them unhashed that whoever sees it may finish.
  bool nearly_done() const;

  // publish.cpp: with the front, when the last byte is hashed.
  Result<void> publish();
  Result<void> publish_copy();
  Result<void> link(int fd, const std::string& name);
  void published();

  const std::shared_ptr<Store> store;
  const Digest digest;
  Ingest ingest;

  Mutex mutex;
  std::unordered_map<std::uint64_t, Owner> owners BERTH_GUARDED_BY(mutex);
  std::uint64_t last_token BERTH_GUARDED_BY(mutex) = 0;
  SlowWatch watch BERTH_GUARDED_BY(mutex);
  bool hashing BERTH_GUARDED_BY(mutex) = false;
  unsigned front_keepers BERTH_GUARDED_BY(mutex) = 0;
  std::optional<std::uint64_t> front_locked BERTH_GUARDED_BY(mutex);  ///< the byte
  /// Belongs to the thread that has the front.
  std::optional<Hasher> hasher;

  /// The blob under its name, where that is not the file `data`: after a tainted one was copied.
  mutable Mutex file_mutex;
  mutable Fd published_file BERTH_GUARDED_BY(file_mutex);
  /// All chunks before it are full.
  mutable std::atomic<std::uint64_t> full_prefix{0};
};

}  // namespace berth::cache
