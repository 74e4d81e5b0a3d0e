// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "berth/base/try.hpp"

#include "cache/fault_point.hpp"
#include "cache/ingest.hpp"

namespace berth::cache {
namespace {

// The state before the bytes: what it covers is held, and is synced after both were looked at.
SyncedRecord look(const MapFile& map) {
  SyncedRecord record{.size = map.size(), .point = map.load(), .written = {}};
  record.written.reserve(map.chunks());
  for (std::uint64_t i = 0; i < map.chunks(); ++i) {
    record.written.push_back(map.chunk(i).written);
  }
  return record;
}

bool is_same(const SyncedRecord& a, const SyncedRecord& b) {
  return a.size == b.size && a.point.count == b.point.count && a.written == b.written;
}

std::uint64_t record_blocks(int folder) {
  struct stat info{};
  return ::fstatat(folder, "synced", &info, AT_SYMLINK_NOFOLLOW) == 0 ? allocated(info) : 0;
}

}  // namespace

Result<bool> sync_ingest(Store& store, const std::string& name) {
  auto opened = open_ingest_files(store.root(), "ingest/" + name);
  if (!opened && opened.error().code() == Errc::not_found) return false;  // published, or dropped
  Ingest ingest = TRY(std::move(opened));
  MapFile& map = ingest.map;
  constexpr std::uint32_t kOver = MapFile::kFailed | MapFile::kPublished;
  if (map.has(kOver) || map.boot_id() != store.folder().boot_id()) return false;
  if (!try_lock(ingest.map_fd.get(), LockKind::shared, lock_byte::kJoined)) return false;
  const SyncedRecord record = look(map);
  // Looked at last: bytes that somebody who was passed by may still change are no part of it.
  if (map.has(MapFile::kTainted)) return false;
  if (const auto last = read_synced(ingest.folder.get()); last && is_same(*last, record)) {
    return false;
  }
  if (::fdatasync(ingest.data.get()) != 0) {
    return Error::from_errno(errno, fmt::format("syncing {} in the cache", map.digest()));
  }
  fault_point("partial.synced");
  Room room = TRY(Room::take(store, kSlack + record.written.size() * 4));
  const std::uint64_t before = record_blocks(ingest.folder.get());
  TRY(write_synced(ingest.folder.get(), record));
  const std::uint64_t after = record_blocks(ingest.folder.get());
  const std::uint64_t grown = after - std::min(after, before);
  room.spend(grown);
  map.charged().fetch_add(grown);
  // Removed meanwhile: whoever exchanges the charge gives it back.
  if (map.has(kOver)) store.quota().release(map.charged().exchange(0));
  return true;
}

}  // namespace berth::cache
