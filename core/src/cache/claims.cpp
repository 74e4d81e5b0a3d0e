// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"

#include "cache/evictor.hpp"
#include "cache/fault_point.hpp"
#include "cache/partial_impl.hpp"

namespace berth::cache {
namespace {

// How often a disk that is full beside the quota is answered by giving up an older blob.
constexpr int kFullDiskEvictions = 4;

}  // namespace

bool Partial::Impl::owns(std::uint64_t index, const Chunk& chunk) const {
  const auto mine = owners.find(index);
  return mine != owners.end() && mine->second.generation == chunk.generation;
}

bool Partial::Impl::is_slow(std::uint64_t index) {
  MutexLock lock(mutex);
  const Chunk chunk = ingest.map.chunk(index);
  if (chunk.written >= chunk_size(index)) return false;
  if (owns(index, chunk)) return is_stalled(ingest.map.stamp(index));
  const auto rate = watch.look(index, chunk, ticks());
  return rate && *rate < kSlowRate;
}

bool Partial::Impl::may_pass(std::uint64_t index, const Chunk& chunk, std::uint64_t own_rate) {
  const bool own = owns(index, chunk);
  const auto rate = own || own_rate == 0 ? std::nullopt : watch.look(index, chunk, ticks());
  if (is_stalled(ingest.map.stamp(index))) return true;
  // One that is slow and alive ends its write soon: passed by then, it spoils nothing. Who is not
  // faster would only be passed by in turn.
  return rate && *rate < kSlowRate && *rate < own_rate / 2 && !chunk.writing;
}

std::optional<Partial::Impl::Owner> Partial::Impl::claim(std::uint64_t index, bool fresh,
                                                         std::uint64_t own_rate) {
  MapFile& map = ingest.map;
  MutexLock lock(mutex);
  if (map.has(MapFile::kClosed | MapFile::kFailed)) return {};
  const Chunk before = map.chunk(index);
  if (before.written >= chunk_size(index) || (fresh && before.written > 0)) return {};
  Chunk after = before;
  const std::uint64_t byte = lock_byte::of_chunk(index, before.generation);
  const bool pass =
      owns(index, before) || !try_lock(ingest.map_fd.get(), LockKind::exclusive, byte);
  after.writing = false;
  if (pass) {
    if (fresh || !may_pass(index, before, own_rate)) return {};
    // The lock of the next generation: of several that pass by, one does it.
    after.generation = static_cast<std::uint16_t>(before.generation + 1);
    if (!try_lock(ingest.map_fd.get(), LockKind::exclusive,
                  lock_byte::of_chunk(index, after.generation))) {
      return {};
    }
    // In the middle of a write: it may still change bytes, whenever it wakes up.
    if (before.writing) map.set(MapFile::kTainted);
  }
  // Look again: with the lock, nobody but one who was passed by meanwhile can have moved it.
  if (!map.exchange(index, before, after) || map.has(MapFile::kClosed | MapFile::kFailed)) {
    unlock(ingest.map_fd.get(), lock_byte::of_chunk(index, after.generation));
    return {};
  }
  if (pass) {
    log::debug(fmt::format("cache: passed by a stalled or slow download of chunk {} of {}", index,
                           digest.text()));
  }
  watch.forget(index);
  map.stamp(index).store(ticks());
  const Owner owner{++last_token, after.generation};
  owners[index] = owner;
  return owner;
}

void Partial::Impl::give_back(std::uint64_t index, const Owner& owner) {
  MutexLock lock(mutex);
  unlock(ingest.map_fd.get(), lock_byte::of_chunk(index, owner.generation));
  const auto found = owners.find(index);
  if (found != owners.end() && found->second.token == owner.token) owners.erase(found);
  ingest.map.changed();  // whoever waits for this chunk may have it now
}

Result<void> Partial::Impl::reserve(std::uint64_t index, const Owner& owner) {
  const Chunk before = ingest.map.chunk(index);
  if (before.reserved) return {};
  const std::uint64_t length = chunk_size(index);
  Room room = TRY(Room::take(*store, length + kSlack));
  auto allocated_now = allocate(ingest.data.get(), index * kChunk, length, Unsupported::ignore);
  for (int i = 0; i < kFullDiskEvictions && !allocated_now &&
                  allocated_now.error().code() == Errc::no_space && store->evictor().evict_one();
       ++i) {
    allocated_now = allocate(ingest.data.get(), index * kChunk, length, Unsupported::ignore);
  }
  // What the disk gave before it was full stays counted.
  const std::uint64_t on_disk =
      allocated(ingest.data.get()) + allocated(ingest.map_fd.get()) + 2 * kSlack;
  std::uint64_t charged = ingest.map.charged().load();
  while (on_disk > charged && !ingest.map.charged().compare_exchange_weak(charged, on_disk)) {
  }
  if (on_disk > charged) room.spend(on_disk - charged);
  if (!allocated_now) {
    return std::move(allocated_now)
        .error()
        .with_context(fmt::format("filling {} in the cache", digest.text()));
  }
  Chunk after = before;
  after.reserved = true;
  after.generation = owner.generation;
  ingest.map.exchange(index, before, after);
  return {};
}

std::uint64_t Partial::Impl::free_until(std::uint64_t index) {
  std::uint64_t end = index + 1;
  {
    MutexLock lock(mutex);
    while (end < ingest.map.chunks() && ingest.map.chunk(end).written == 0 &&
           !owners.contains(end)) {
      ++end;
    }
  }
  // The kernel names any lock in the range, not the first one: narrow it until there is none.
  while (end > index + 1) {
    const auto held = other_lock(ingest.map_fd.get(), lock_byte::of_chunk(index + 1, 0),
                                 lock_byte::of_chunk(end, 0));
    if (!held) break;
    end = (*held - lock_byte::kChunks) / 65536;
  }
  return std::min(size(), end * kChunk);
}

Result<bool> Partial::Impl::write_chunk(std::uint64_t index, const Owner& owner, ByteView bytes) {
  MapFile& map = ingest.map;
  if (map.has(MapFile::kFailed)) return dropped();
  Chunk before = map.chunk(index);
  if (before.generation != owner.generation || map.has(MapFile::kClosed)) return false;
  Chunk during = before;
  during.writing = true;
  if (!map.exchange(index, before, during)) return false;
  fault_point("chunk.write");
  const std::uint64_t offset = index * kChunk + before.written;
  auto written = pwrite_all(ingest.data.get(), bytes, offset);
  fault_point("chunk.written");
  Chunk after = before;
  if (written) after.written += static_cast<std::uint32_t>(bytes.size());
  // Fails when it was passed by: what was written here is then somebody else's to write.
  const bool moved = map.exchange(index, during, after);
  if (!written) {
    return std::move(written).error().with_context(
        fmt::format("filling {} in the cache", digest.text()));
  }
  if (!moved) return map.has(MapFile::kFailed) ? Result<bool>(dropped()) : Result<bool>(false);
  map.stamp(index).store(ticks());
  map.changed(MapFile::waiters_of(offset, offset + bytes.size()));
  return true;
}

}  // namespace berth::cache
