// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "berth/base/bytes.hpp"
#include "berth/base/context.hpp"
#include "berth/digest/digest.hpp"

namespace berth::cache {

struct Blob;
class Partial;

inline constexpr std::uint64_t kChunk = 4 * 1024 * 1024;
/// A lock whose chunk has not grown for this long is passed by.
inline constexpr std::chrono::seconds kStall{5};
/// Bytes a second. Over kStall a chunk grew more slowly: nobody needs to wait for who fills it.
inline constexpr std::uint64_t kSlowRate = 512 * 1024;
/// The rate of a downloader that has not downloaded anything yet.
inline constexpr std::uint64_t kUnknownRate = UINT64_MAX;

/// The right to download from one offset on: the lock on the chunk that holds it. Not thread safe.
/// Destroying it gives the lock back; what was written stays.
class Download {
 public:
  Download(Download&&) noexcept;
  ~Download();

  /// Where the next byte goes. A chunk is filled from its start on, so this may lie before the
  /// offset that was asked for, in the same chunk; or in a later chunk, where the offset's own is
  /// full.
  std::uint64_t position() const noexcept;
  /// How far it makes sense to ask the server for: the end of the last chunk in a row that nobody
  /// holds or fills.
  std::uint64_t end() const noexcept;
  /// Bytes are asked for up to here: no chunk beyond it is held for what comes next.
  void end_at(std::uint64_t end) noexcept;
  /// Writes what arrived at position() and moves on; hashes it too while this process holds the
  /// front and the bytes continue it. Crossing into the next chunk takes its lock (and reserves its
  /// room): `false` when that chunk is held or being filled by another, so stop here.
  /// Errc::no_space: no room can be made; conflict: this attempt was dropped; io. Bytes beyond the
  /// blob's size: digest_mismatch, and the attempt is dropped. When these were the last bytes that
  /// were missing the blob is published here, so that digest_mismatch may also mean its digest.
  Result<bool> write(ByteView bytes);

 private:
  friend class Partial;
  struct Impl;
  explicit Download(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

enum class State : unsigned char {
  filling,   ///< bytes are missing, or not hashed yet
  complete,  ///< verified, and linked into blobs/ unless the folder was removed meanwhile: read it
             ///< from this object, as find() may already answer that it was evicted
  failed,    ///< this attempt was dropped: mismatch, evicted, removed. join() again begins the next
             ///< one
};

/// A blob that is not complete: one attempt to fetch it, which any number of threads and processes
/// fill and read together. Thread safe. The bytes are not to be believed until state() is complete.
class Partial {
 public:
  ~Partial();

  const Digest& digest() const noexcept;
  std::uint64_t size() const noexcept;
  std::uint64_t attempt() const noexcept;  ///< numbers differ between attempts of one blob
  State state() const;
  /// Complete, and what was read before it was is certain to be what was verified.
  bool settled() const;

  /// Somebody stopped in the middle of a write may still change bytes that were written again
  /// since: whoever looks at this after available() and is told no has got bytes that stay.
  bool tainted() const;

  /// Bytes that can be read in a row from `offset` on, also those that other processes wrote.
  std::uint64_t available(std::uint64_t offset) const;
  /// Reads bytes that are available. Errc::io when they are not any more.
  Result<void> read(std::span<std::byte> out, std::uint64_t offset) const;
  /// The data file, for splicing what is available. Stays open while this object lives. -1 where it
  /// was evicted before this process could open it.
  int fd() const noexcept;

  /// The right to download the first chunk at or after `offset` that is not full. nullopt: nothing
  /// is missing there, or a live downloader fills that chunk: wait(), or ask kChunk further on. A
  /// stalled one's chunk is passed by. Reserves the chunk's room: no_space; conflict: this attempt
  /// was dropped.
  ///
  /// `own_rate`, in bytes a second, is for who asks again until it gets something: then a chunk
  /// that another process filled more slowly than kSlowRate for kStall is passed by, when it was
  /// slower than half of `own_rate`, too; else the first chunk behind it that nobody holds is
  /// given.
  Result<std::optional<Download>> begin_download(std::uint64_t offset, std::uint64_t own_rate = 0);
  /// For who waits for this byte, and asks again and again: its chunk, not this process's own, grew
  /// more slowly than kSlowRate for kStall; or it is this process's own, and stalled.
  bool is_slow(std::uint64_t offset) const;

  /// Hashes, in order, what is available and not hashed yet, when no other live process holds the
  /// front; publishes the blob when its last byte is hashed. Cheap when there is nothing to do.
  /// Returns how far the hash has come. Errc::digest_mismatch: the attempt was dropped.
  Result<std::uint64_t> advance(const Context& context);
  std::uint64_t hashed() const;

  /// Blocks until something changed since `seen` (bytes, state; here or in another process; a step
  /// of the hash wakes nobody),
  /// at most `limit` (and never longer than 200 ms: somebody killed wakes nobody). Returns a number
  /// to give to the next call. `for_byte`: who waits for this byte alone is not woken for others,
  /// but for every change of state.
  std::uint64_t wait(std::uint64_t seen, std::chrono::nanoseconds limit, const Context& context,
                     std::optional<std::uint64_t> for_byte = std::nullopt) const;
  std::uint64_t changes() const;

  /// Drops this attempt: its bytes are thrown away, here and in all processes.
  void fail();

 private:
  friend class Download;
  friend class Cache;
  struct Impl;
  explicit Partial(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace berth::cache
