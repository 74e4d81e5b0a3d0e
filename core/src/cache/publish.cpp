// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"

#include "cache/fault_point.hpp"
#include "cache/partial_impl.hpp"

namespace berth::cache {
namespace {

Error mismatch(const Digest& expected, const Digest& found) {
  return Error(Errc::digest_mismatch,
               fmt::format("the bytes of {} have the digest {}: the registry, or what lies on the "
                           "way to it, gave wrong bytes",
                           expected.text(), found.text()));
}

}  // namespace

Result<void> Partial::Impl::publish() {
  // A copy: should linking fail for now, the front is still what it was.
  HashPoint point;
  hasher->save(point.state);
  Hasher last = TRY(size() > 0 ? Hasher::resume(digest.algorithm(), point.state)
                               : Hasher::create(digest.algorithm()));
  const Digest found = std::move(last).finish();
  if (found != digest) {
    drop();
    return mismatch(digest, found);
  }
  // Every chunk is full and says that no write is under way, so nobody writes any more: a writer
  // takes no step without an exchange of the chunk's word. Whoever was passed by in the middle of
  // a write left the mark.
  if (ingest.map.has(MapFile::kFailed)) return dropped();
  ingest.map.set(MapFile::kClosed);
  fault_point("publish.closed");
  if (ingest.map.has(MapFile::kTainted)) return publish_copy();
  return link(ingest.data.get(), ingest_name(digest) + "/data");
}

Result<void> Partial::Impl::link(int fd, const std::string& name) {
  // The slack that the partial blob was charged with from its beginning.
  const bool charged = ingest.map.charged().load() >= kSlack;
  if (charged) ingest.map.charged().fetch_sub(kSlack);
  Room room = Room::take_over(*store, charged ? kSlack : 0);
  auto linked = link_blob(*store, room, digest, fd, name);
  if (!linked && linked.error().code() == Errc::not_found) {
    // The folder went away under us, or who linked it was killed before it could say so.
    if (!has_blob(*store, digest)) {
      log::warning(
          fmt::format("cache: {} is verified but not kept: its folder was removed", digest.text()));
    }
  } else if (!linked) {
    ingest.map.charged().fetch_add(room.keep());
    return std::move(linked).error();
  }
  fault_point("publish.linked");
  // The blob's own blocks leave the partial blob's account, and stay counted. Where the name is
  // gone they are the blob's already, linked by whoever was killed.
  if (fd == ingest.data.get() && linked.value_or(true)) {
    std::uint64_t account = ingest.map.charged().load();
    const std::uint64_t blocks = allocated(fd);
    while (
        !ingest.map.charged().compare_exchange_weak(account, account - std::min(account, blocks))) {
    }
    if (blocks > account) store->quota().add(blocks - account);
  }
  published();
  return {};
}

void Partial::Impl::published() {
  ingest.map.set(MapFile::kPublished);
  ingest.map.changed();
  remove_ingest(*store, digest, ingest);
}

// Somebody stopped may still write to `data`: its bytes go into a file that nobody else ever had
// open, hashed on the way.
Result<void> Partial::Impl::publish_copy() {
  constexpr std::size_t kBlock = 256 * 1024;
  const std::string name = fmt::format("ingest/{}", temporary_name("copy"));
  fault_point("publish.copy");
  Fd copy = TRY(open_at(store->root(), name, O_RDWR | O_CREAT | O_EXCL));
  // Who has this attempt open reads the copy from then on, and keeps it from being evicted.
  ::flock(copy.get(), LOCK_SH | LOCK_NB);
  std::uint64_t counted = 0;
  auto copied = [&]() -> Result<void> {
    Hasher copy_hasher = TRY(Hasher::create(digest.algorithm()));
    std::vector<std::byte> block(kBlock);
    while (copy_hasher.count() < size()) {
      const std::uint64_t offset = copy_hasher.count();
      if (offset % kChunk == 0) {
        const std::uint64_t length = std::min(kChunk, size() - offset);
        Room room = TRY(Room::take(*store, length + kSlack));
        TRY(allocate(copy.get(), offset, length, Unsupported::ignore));
        const std::uint64_t now = allocated(copy.get());
        room.spend(now - counted);
        counted = now;
      }
      const auto part = std::span(block).first(
          static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, size() - offset)));
      TRY(pread_exact(ingest.data.get(), part, offset));
      TRY(pwrite_all(copy.get(), part, offset));
      copy_hasher.update(part);
      ingest.map.front_stamp().store(ticks());
    }
    const Digest found = std::move(copy_hasher).finish();
    if (found == digest) return {};
    drop();
    return mismatch(digest, found);
  }();
  if (copied) copied = link(copy.get(), name);
  struct stat info{};
  if (::fstat(copy.get(), &info) == 0 && info.st_nlink > 0 &&
      ::unlinkat(store->root(), name.c_str(), 0) == 0) {
    store->quota().release(counted);
  }
  if (copied) {
    MutexLock lock(file_mutex);
    if (!published_file) published_file = std::move(copy);
  }
  return copied;
}

}  // namespace berth::cache
