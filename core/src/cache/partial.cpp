// SPDX-License-Identifier: Apache-2.0
#include "berth/cache/partial.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "berth/base/try.hpp"

#include "cache/evictor.hpp"
#include "cache/partial_impl.hpp"

namespace berth::cache {
namespace {

// Whoever is killed between a step and saying so wakes nobody: look again by oneself.
constexpr std::chrono::milliseconds kLongestWait{200};

}  // namespace

Partial::Impl::Impl(std::shared_ptr<Store> opened_store, Digest blob_digest, Ingest opened)
    : store(std::move(opened_store)),
      digest(std::move(blob_digest)),
      ingest(std::move(opened)) {}

Partial::Impl::~Impl() = default;

State Partial::Impl::state() const {
  if (ingest.map.has(MapFile::kPublished)) return State::complete;
  if (ingest.map.has(MapFile::kFailed)) return State::failed;
  return State::filling;
}

std::uint64_t Partial::Impl::chunk_size(std::uint64_t index) const noexcept {
  return std::min(kChunk, size() - index * kChunk);
}

bool Partial::Impl::is_full(std::uint64_t index) const noexcept {
  return ingest.map.chunk(index).written >= chunk_size(index);
}

std::uint64_t Partial::Impl::available(std::uint64_t offset) const {
  if (offset >= size()) return 0;
  if (ingest.map.has(MapFile::kPublished)) return size() - offset;
  // Most ask at the front, again and again: what was full stays full.
  std::uint64_t prefix = full_prefix.load(std::memory_order_relaxed);
  while (prefix < ingest.map.chunks() && is_full(prefix)) ++prefix;
  full_prefix.store(prefix, std::memory_order_relaxed);
  std::uint64_t index = std::max(prefix, offset / kChunk);
  while (index < ingest.map.chunks() && is_full(index)) ++index;
  if (index == ingest.map.chunks()) return size() - offset;
  const std::uint64_t end = index * kChunk + ingest.map.chunk(index).written;
  return end > offset ? end - offset : 0;
}

int Partial::Impl::read_fd() const {
  if (!ingest.map.has(MapFile::kPublished) || !ingest.map.has(MapFile::kTainted)) {
    return ingest.data.get();
  }
  // A stopped writer may still wake up and write to `data`; the copy is nobody's to write.
  MutexLock lock(file_mutex);
  if (!published_file) {
    auto blob = open_at(store->root(), blob_name(digest), O_RDONLY | O_NOFOLLOW);
    // Open is open: the lock keeps it from being evicted, or tells that it is.
    if (blob && ::flock(blob->get(), LOCK_SH | LOCK_NB) == 0) published_file = std::move(*blob);
  }
  return published_file.get();
}

std::int64_t Partial::Impl::ticks() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             store->clock().ticks().time_since_epoch())
      .count();
}

bool Partial::Impl::is_stalled(std::atomic<std::int64_t>& stamp) const {
  const std::int64_t now = ticks();
  std::int64_t last = stamp.load();
  // From the future: another name space's clock. Counting begins here, or it would never end.
  if (last > now) stamp.compare_exchange_strong(last, now);
  return last <= now && std::chrono::nanoseconds(now - last) >= kStall;
}

Error Partial::Impl::dropped() const {
  return Error(Errc::conflict,
               fmt::format("filling {} in the cache: this attempt was dropped", digest.text()));
}

void Partial::Impl::drop() {
  if (!ingest.map.fail()) return;
  ingest.map.changed();
  remove_ingest(*store, digest, ingest);
}

Partial::Partial(std::shared_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
Partial::~Partial() = default;

const Digest& Partial::digest() const noexcept { return impl_->digest; }
std::uint64_t Partial::size() const noexcept { return impl_->size(); }
std::uint64_t Partial::attempt() const noexcept { return impl_->ingest.map.attempt(); }
State Partial::state() const { return impl_->state(); }
bool Partial::settled() const {
  // Who was passed by in the middle of a write may have changed bytes after they were read.
  return state() == State::complete && !impl_->ingest.map.has(MapFile::kTainted);
}
bool Partial::tainted() const {
  return impl_->ingest.map.has(MapFile::kTainted) && state() != State::complete;
}
std::uint64_t Partial::available(std::uint64_t offset) const { return impl_->available(offset); }
int Partial::fd() const noexcept { return impl_->read_fd(); }
bool Partial::is_slow(std::uint64_t offset) const {
  return offset < size() && impl_->is_slow(offset / kChunk);
}
std::uint64_t Partial::hashed() const { return impl_->ingest.map.hashed(); }

Result<void> Partial::read(std::span<std::byte> out, std::uint64_t offset) const {
  if (state() == State::failed) {
    return Error(Errc::io, fmt::format("reading {} from the cache: this attempt was dropped",
                                       digest().text()));
  }
  if (out.size() > available(offset)) {
    return Error(Errc::io, fmt::format("reading {} from the cache: bytes {} to {} are not there",
                                       digest().text(), offset, offset + out.size()));
  }
  const int fd = impl_->read_fd();
  if (fd < 0) {
    return Error(Errc::io, fmt::format("reading {} from the cache: it was evicted meanwhile",
                                       digest().text()));
  }
  return pread_exact(fd, out, offset);
}

Result<std::uint64_t> Partial::advance(const Context& context) { return impl_->advance(context); }

std::uint64_t Partial::changes() const { return impl_->ingest.map.changes().load(); }

std::uint64_t Partial::wait(std::uint64_t seen, std::chrono::nanoseconds limit,
                            const Context& context, std::optional<std::uint64_t> for_byte) const {
  MapFile& map = impl_->ingest.map;
  // Wakes the others, too; they look, and wait again.
  const std::stop_callback wake(context.stop(), [&map] { map.changed(); });
  if (!context.is_nonblocking() && !context.stop().stop_requested() && state() == State::filling) {
    map.wait(static_cast<std::uint32_t>(seen),
             context.remaining(std::min<std::chrono::nanoseconds>(limit, kLongestWait)),
             for_byte ? MapFile::waiters_of(*for_byte, *for_byte + 1) : MapFile::kAllWaiters);
  }
  return changes();
}

void Partial::fail() { impl_->drop(); }

}  // namespace berth::cache
