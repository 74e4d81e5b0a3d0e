// SPDX-License-Identifier: Apache-2.0
#include "cache/map_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "berth/base/try.hpp"
#include "berth/cache/partial.hpp"

namespace berth::cache {
namespace {

constexpr char kMagic[8] = {'b', 'e', 'r', 't', 'h', 'm', 'p', '1'};
constexpr std::size_t kSlots = 1024;    // where the two slots of the hash begin
constexpr std::size_t kEntries = 4096;  // where the chunks begin
constexpr std::size_t kEntrySize = 16;

constexpr std::uint64_t kWritingBit = std::uint64_t{1} << 48;
constexpr std::uint64_t kReservedBit = std::uint64_t{1} << 49;

template <std::size_t N>
void copy_text(char (&out)[N], std::string_view text) {
  std::memset(out, 0, N);
  std::memcpy(out, text.data(), std::min(text.size(), N - 1));
}

template <std::size_t N>
std::string text_of(const char (&in)[N]) {
  return {in, ::strnlen(in, N)};
}

}  // namespace

struct MapFile::Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t hash_format;  // Hasher::kStateFormat of who made it
  std::uint64_t size;
  std::uint64_t attempt;
  std::atomic<std::uint32_t> flags;
  std::atomic<std::uint32_t> changes;
  mutable std::atomic<std::uint32_t> waiters;
  std::atomic<std::uint32_t> front_generation;
  std::atomic<std::int64_t> front_stamp;
  std::atomic<std::uint64_t> charged;
  std::atomic<std::uint64_t> hashed;  // the count of the newest slot, for whoever only asks
  char boot_id[40];
  char digest[160];
};

// Two of them, written in turns: a process that is killed while it writes one leaves the other.
// Read while it is written, so it is copied word by word, and the copy is what the checksum is of.
struct MapFile::Slot {
  using Words = std::array<std::uint64_t, Hasher::kStateSize / 8>;

  std::atomic<std::uint64_t> sequence;
  std::atomic<std::uint64_t> count;
  std::atomic<std::uint64_t> checksum;
  std::atomic<std::uint64_t> state[Hasher::kStateSize / 8];

  static std::uint64_t sum(const HashPoint& point, std::uint64_t number) noexcept {
    return cache::checksum(std::as_bytes(std::span(&point.count, 1))) ^
           cache::checksum(point.state) ^ (number * 0x9e3779b97f4a7c15ULL);
  }
  HashPoint copy() const noexcept {
    Words words{};
    std::ranges::transform(state, words.begin(), [](const std::atomic<std::uint64_t>& word) {
      return word.load(std::memory_order_relaxed);
    });
    return {count.load(std::memory_order_relaxed), std::bit_cast<Hasher::State>(words)};
  }
  void put(const HashPoint& point) noexcept {
    count.store(point.count, std::memory_order_relaxed);
    const auto words = std::bit_cast<Words>(point.state);
    for (std::size_t i = 0; i < words.size(); ++i) {
      state[i].store(words[i], std::memory_order_relaxed);
    }
  }
};

struct MapFile::Entry {
  std::atomic<std::uint64_t> word;
  std::atomic<std::int64_t> stamp;
};

std::uint64_t Chunk::pack() const noexcept {
  return written | std::uint64_t{generation} << 32 | (writing ? kWritingBit : 0) |
         (reserved ? kReservedBit : 0);
}

Chunk Chunk::unpack(std::uint64_t word) noexcept {
  return {static_cast<std::uint32_t>(word), static_cast<std::uint16_t>(word >> 32),
          (word & kWritingBit) != 0, (word & kReservedBit) != 0};
}

Result<MapFile> MapFile::create(int fd, const Digest& digest, std::uint64_t size,
                                std::uint64_t attempt, const std::string& boot_id) {
  static_assert(sizeof(Header) <= kSlots && kSlots + 2 * sizeof(Slot) <= kEntries);
  static_assert(sizeof(Entry) == kEntrySize && sizeof(Slot) == 280);
  static_assert(offsetof(Header, flags) == 32 && offsetof(Header, digest) == 112);
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  const std::uint64_t bytes = kEntries + (size + kChunk - 1) / kChunk * kEntrySize;
  // All of it now: a mapping of blocks that the disk cannot give is SIGBUS.
  TRY(allocate(fd, 0, bytes, Unsupported::write_zeros));
  MapFile map(TRY(Mapping::map(fd, bytes, true)));
  Header& header = map.header();
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = 1;
  header.hash_format = Hasher::kStateFormat;
  header.size = size;
  header.attempt = attempt;
  copy_text(header.boot_id, boot_id);
  copy_text(header.digest, digest.text());
  return map;
}

Result<MapFile> MapFile::open(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return Error::from_errno(errno, "looking at a partial blob's map");
  const auto bytes = static_cast<std::uint64_t>(info.st_size);
  if (bytes < kEntries) return Error(Errc::corrupt, "a partial blob's map is too short");
  MapFile map(TRY(Mapping::map(fd, bytes, true)));
  const Header& header = map.header();
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.version != 1 ||
      bytes != kEntries + (header.size + kChunk - 1) / kChunk * kEntrySize) {
    return Error(Errc::corrupt, "a partial blob's map is not one of this version");
  }
  return map;
}

Result<MapFile> MapFile::complete(std::uint64_t size) {
  MapFile map(TRY(Mapping::map(-1, kEntries, true)));
  map.header().size = size;
  map.header().flags = kClosed | kPublished;
  map.save({size, {}});
  return map;
}

MapFile::Header& MapFile::header() const noexcept { return *mapping_.at<Header>(0); }
MapFile::Slot& MapFile::slot(std::uint64_t sequence) const noexcept {
  return mapping_.at<Slot>(kSlots)[sequence % 2];
}
MapFile::Entry& MapFile::entry(std::uint64_t index) const noexcept {
  return mapping_.at<Entry>(kEntries)[index];
}

std::uint64_t MapFile::size() const noexcept { return header().size; }
std::uint64_t MapFile::attempt() const noexcept { return header().attempt; }
std::string MapFile::boot_id() const { return text_of(header().boot_id); }
std::string MapFile::digest() const { return text_of(header().digest); }
std::uint64_t MapFile::chunks() const noexcept { return (size() + kChunk - 1) / kChunk; }

bool MapFile::has(std::uint32_t flags) const noexcept {
  return (header().flags.load(std::memory_order_acquire) & flags) != 0;
}

bool MapFile::set(Flag flag) noexcept { return (header().flags.fetch_or(flag) & flag) == 0; }

bool MapFile::fail() noexcept {
  std::uint32_t flags = header().flags.load();
  do {
    if ((flags & (kPublished | kFailed)) != 0) return false;
  } while (!header().flags.compare_exchange_weak(flags, flags | kFailed));
  return true;
}

Chunk MapFile::chunk(std::uint64_t index) const noexcept {
  return Chunk::unpack(entry(index).word.load(std::memory_order_acquire));
}

bool MapFile::exchange(std::uint64_t index, const Chunk& expected, const Chunk& desired) noexcept {
  std::uint64_t word = expected.pack();
  return entry(index).word.compare_exchange_strong(word, desired.pack());
}

std::atomic<std::int64_t>& MapFile::stamp(std::uint64_t index) const noexcept {
  return entry(index).stamp;
}
std::atomic<std::int64_t>& MapFile::front_stamp() const noexcept { return header().front_stamp; }
std::atomic<std::uint32_t>& MapFile::front_generation() const noexcept {
  return header().front_generation;
}
std::atomic<std::uint64_t>& MapFile::charged() const noexcept { return header().charged; }
std::uint64_t MapFile::charged_in(int root, const std::string& path) noexcept {
  const auto fd = open_at(root, path, O_RDONLY | O_NOFOLLOW);
  std::uint64_t charged = 0;
  const auto out = std::as_writable_bytes(std::span(&charged, 1));
  return fd && pread_exact(fd->get(), out, offsetof(Header, charged)) ? charged : 0;
}
std::atomic<std::uint32_t>& MapFile::changes() const noexcept { return header().changes; }

HashPoint MapFile::load() const noexcept {
  HashPoint best;
  std::uint64_t newest = 0;
  for (const std::uint64_t i : {std::uint64_t{0}, std::uint64_t{1}}) {
    const Slot& found = slot(i);
    const std::uint64_t sequence = found.sequence.load(std::memory_order_acquire);
    const HashPoint point = found.copy();
    if (sequence <= newest || found.checksum.load() != Slot::sum(point, sequence)) continue;
    newest = sequence;
    best = point;
  }
  // Another build may keep its states otherwise: then the hash begins again, and nothing else.
  if (header().version != 0 && header().hash_format != Hasher::kStateFormat) return {};
  return best;
}

std::uint64_t MapFile::hashed() const noexcept {
  return header().hashed.load(std::memory_order_acquire);
}

void MapFile::save(const HashPoint& point) noexcept {
  const std::uint64_t next = std::max(slot(0).sequence.load(), slot(1).sequence.load()) + 1;
  Slot& target = slot(next);
  target.sequence.exchange(0, std::memory_order_acq_rel);  // before anything below changes
  target.put(point);
  target.checksum.store(Slot::sum(point, next), std::memory_order_relaxed);
  target.sequence.store(next, std::memory_order_release);
  header().hashed.store(point.count, std::memory_order_release);
}

std::uint32_t MapFile::waiters_of(std::uint64_t begin, std::uint64_t end) noexcept {
  constexpr std::uint64_t kUnit = 256 * 1024;
  constexpr std::uint64_t kBits = 32;
  if (begin >= end) return kNoWaiters;
  const std::uint64_t last = (end - 1) / kUnit;
  if (last - begin / kUnit >= kBits) return kAllWaiters;
  std::uint32_t bits = 0;
  for (std::uint64_t unit = begin / kUnit; unit <= last; ++unit) bits |= 1U << (unit % kBits);
  return bits;
}

void MapFile::changed(std::uint32_t waiters) noexcept {
  header().changes.fetch_add(1);
  if (waiters != kNoWaiters && header().waiters.load() != 0) futex_wake(header().changes, waiters);
}

void MapFile::wait(std::uint32_t seen, std::chrono::nanoseconds limit,
                   std::uint32_t waiter) const noexcept {
  // A waiter that is killed leaves its count: then a wake-up is a system call too many, no more.
  header().waiters.fetch_add(1);
  futex_wait(header().changes, seen, limit, waiter);
  header().waiters.fetch_sub(1);
}

}  // namespace berth::cache
