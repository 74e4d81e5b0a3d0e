// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"

#include "cache/fault_point.hpp"
#include "cache/partial_impl.hpp"

namespace berth::cache {
namespace {

constexpr std::size_t kBlock = 256 * 1024;
// How far a writer hashes from the file to reach its own bytes. More is left to advance(): the
// network must not wait for it.
constexpr std::uint64_t kCatchUp = kChunk;
constexpr std::uint64_t kFinish = 16 * kChunk;

}  // namespace

bool Partial::Impl::claim_front() {
  MapFile& map = ingest.map;
  MutexLock lock(mutex);
  if (hashing || map.has(MapFile::kFailed | MapFile::kPublished)) return false;
  if (!front_locked) {
    const std::uint32_t generation = map.front_generation().load();
    const std::uint64_t byte = lock_byte::kFront + generation;
    if (try_lock(ingest.map_fd.get(), LockKind::exclusive, byte)) {
      front_locked = byte;
    } else {
      if (!is_stalled(map.front_stamp())) return false;
      if (!try_lock(ingest.map_fd.get(), LockKind::exclusive, byte + 1)) return false;
      // Who was passed by may still save a state when it wakes: a true one, of the same bytes.
      std::uint32_t expected = generation;
      if (!map.front_generation().compare_exchange_strong(expected, generation + 1)) {
        unlock(ingest.map_fd.get(), byte + 1);
        return false;
      }
      front_locked = byte + 1;
      log::debug(fmt::format("cache: passed by a stalled hash of {}", digest.text()));
    }
  }
  hashing = true;
  map.front_stamp().store(ticks());
  const std::uint64_t count = map.hashed();
  if (hasher && hasher->count() == count && count > 0) return true;
  const HashPoint point = map.load();
  auto resumed = point.count > 0 ? Hasher::resume(digest.algorithm(), point.state)
                                 : Hasher::create(digest.algorithm());
  if (!resumed || resumed->count() != point.count) resumed = Hasher::create(digest.algorithm());
  hasher.emplace(*resumed);
  if (hasher->count() != count) {
    HashPoint actual{.count = hasher->count(), .state = {}};
    hasher->save(actual.state);
    map.save(actual);
  }
  return true;
}

void Partial::Impl::give_back_front() {
  MutexLock lock(mutex);
  hashing = false;
  if (front_keepers == 0 && front_locked) {
    unlock(ingest.map_fd.get(), *front_locked);
    front_locked.reset();
  }
}

void Partial::Impl::keep_front() {
  MutexLock lock(mutex);
  ++front_keepers;
}

void Partial::Impl::release_front() {
  MutexLock lock(mutex);
  if (--front_keepers > 0 || hashing || !front_locked) return;
  unlock(ingest.map_fd.get(), *front_locked);
  front_locked.reset();
}

void Partial::Impl::hash_block(ByteView bytes) {
  hasher->update(bytes);
  HashPoint point{.count = hasher->count(), .state = {}};
  hasher->save(point.state);
  fault_point("front.save");
  ingest.map.save(point);
  ingest.map.front_stamp().store(ticks());
  ingest.map.changed(MapFile::kNoWaiters);  // they wait for the end of the hash, not for a step
}

Result<void> Partial::Impl::hash_file(std::uint64_t end, const Context& context) {
  static thread_local std::vector<std::byte> block(kBlock);
  while (hasher->count() < end) {
    const std::uint64_t offset = hasher->count();
    const std::uint64_t there = std::min(available(offset), end - offset);
    if (there == 0) break;
    if (ingest.map.has(MapFile::kFailed)) return dropped();
    TRY(context.check());
    const auto out =
        std::span(block).first(static_cast<std::size_t>(std::min<std::uint64_t>(there, kBlock)));
    TRY(pread_exact(ingest.data.get(), out, offset));
    hash_block(out);
  }
  return {};
}

void Partial::Impl::hash_written(ByteView bytes, std::uint64_t offset) {
  const std::uint64_t front = ingest.map.hashed();
  const bool near = front <= offset && offset - front <= kCatchUp;
  if (!near || front + available(front) < offset || !claim_front()) return;
  // What could not be read now is hashed later, by advance().
  if (hash_file(offset, Context{}) && hasher->count() == offset) hash_block(bytes);
  give_back_front();
}

bool Partial::Impl::nearly_done() const {
  const std::uint64_t front = ingest.map.hashed();
  return state() == State::filling && size() - front <= kFinish &&
         available(front) == size() - front;
}

Result<std::uint64_t> Partial::Impl::advance(const Context& context) {
  for (;;) {
    if (state() == State::complete) return size();
    if (state() == State::failed) return dropped();
    const std::uint64_t front = ingest.map.hashed();
    if (front < size() && available(front) == 0) return front;
    if (!claim_front()) return ingest.map.hashed();
    auto done = hash_file(size(), context);
    if (done && hasher->count() == size()) done = publish();
    give_back_front();
    if (!done) return std::move(done).error();
    // Bytes that came after the last look found the front taken: look again now that it is not.
  }
}

}  // namespace berth::cache
