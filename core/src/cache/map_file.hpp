// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "berth/digest/hasher.hpp"

#include "cache/shared_file.hpp"

namespace berth::cache {

/// One chunk of a partial blob, in one word, so that every step of a writer is one exchange that
/// fails when somebody else took a step meanwhile.
struct Chunk {
  std::uint32_t written = 0;     ///< bytes held, in a row from the chunk's start
  std::uint16_t generation = 0;  ///< one more each time that a stalled writer was passed by
  bool writing = false;          ///< a write is under way: what lies behind `written` changes
  bool reserved = false;         ///< its room on the disk is taken

  std::uint64_t pack() const noexcept;
  static Chunk unpack(std::uint64_t word) noexcept;
  friend bool operator==(const Chunk&, const Chunk&) = default;
};

/// The state of the hash after `count` bytes.
struct HashPoint {
  std::uint64_t count = 0;
  Hasher::State state{};
};

/// The shared map of a partial blob: `ingest/<name>/map`. Written through a mapping, so it survives
/// the process and not the machine. Layout: docs/cache-format.md, "map". Thread safe, except
/// save(), which belongs to whoever holds the front.
class MapFile {
 public:
  enum Flag : std::uint32_t {
    kClosed = 1,     ///< all bytes are there and being published: nobody writes any more
    kTainted = 2,    ///< a writer was passed by in the middle of a write: it may still write
    kFailed = 4,     ///< the attempt was dropped
    kPublished = 8,  ///< blobs/ has it
  };

  /// Fills a new file. `fd` is open for reading and writing. Errc::no_space.
  static Result<MapFile> create(int fd, const Digest& digest, std::uint64_t size,
                                std::uint64_t attempt, const std::string& boot_id);
  /// Errc::corrupt when it is not one of this version.
  static Result<MapFile> open(int fd);
  /// Stands for a blob that was complete from the start.
  static Result<MapFile> complete(std::uint64_t size);

  std::uint64_t size() const noexcept;
  std::uint64_t attempt() const noexcept;
  std::string boot_id() const;
  std::string digest() const;
  std::uint64_t chunks() const noexcept;

  bool has(std::uint32_t flags) const noexcept;
  /// False when it was set before.
  bool set(Flag flag) noexcept;
  /// Sets kFailed unless the blob is published.
  bool fail() noexcept;

  Chunk chunk(std::uint64_t index) const noexcept;
  bool exchange(std::uint64_t index, const Chunk& expected, const Chunk& desired) noexcept;
  /// When the chunk, or the front, last moved, in ns of the machine's steady clock.
  std::atomic<std::int64_t>& stamp(std::uint64_t index) const noexcept;
  std::atomic<std::int64_t>& front_stamp() const noexcept;
  std::atomic<std::uint32_t>& front_generation() const noexcept;
  /// Bytes of blocks that the quota counts for this partial blob.
  std::atomic<std::uint64_t>& charged() const noexcept;
  /// The same, of a map that is not open here; 0 when it cannot be read.
  static std::uint64_t charged_in(int root, const std::string& path) noexcept;

  /// How far the hash has come; the state that goes with it.
  std::uint64_t hashed() const noexcept;
  HashPoint load() const noexcept;
  void save(const HashPoint& point) noexcept;

  std::atomic<std::uint32_t>& changes() const noexcept;
  /// Who waits for a byte: one bit of 32 for each 256 KiB in turn, so that a step of the writer
  /// wakes those who wait for its bytes, and not the dozens that the kernel's read-ahead sent.
  static std::uint32_t waiters_of(std::uint64_t begin, std::uint64_t end) noexcept;
  static constexpr std::uint32_t kAllWaiters = UINT32_MAX;
  static constexpr std::uint32_t kNoWaiters = 0;
  /// Says that something changed, and wakes those of them who wait for that, in any process.
  void changed(std::uint32_t waiters = kAllWaiters) noexcept;
  void wait(std::uint32_t seen, std::chrono::nanoseconds limit,
            std::uint32_t waiter) const noexcept;

 private:
  struct Header;
  struct Slot;
  struct Entry;
  explicit MapFile(Mapping mapping)
      : mapping_(std::move(mapping)) {}
  Header& header() const noexcept;
  Slot& slot(std::uint64_t sequence) const noexcept;
  Entry& entry(std::uint64_t index) const noexcept;

  Mapping mapping_;
};

}  // namespace berth::cache
