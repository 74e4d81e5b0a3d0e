// SPDX-License-Identifier: Apache-2.0
#include "cache/ingest.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <thread>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"
#include "berth/cache/partial.hpp"

#include "cache/evictor.hpp"
#include "cache/fault_point.hpp"

namespace berth::cache {
namespace {

bool rename_if_free(int root, const std::string& from, const std::string& to) noexcept {
  // A folder is never renamed over one that holds something, with or without the flag.
  return ::renameat2(root, from.c_str(), root, to.c_str(), RENAME_NOREPLACE) == 0 ||
         (errno == EINVAL && ::renameat(root, from.c_str(), root, to.c_str()) == 0);
}

// What is open is not evicted, also when it is a blob by then: evictors look at this lock.
void mark_open(const Fd& data) noexcept { ::flock(data.get(), LOCK_SH | LOCK_NB); }

bool is_under_name(int root, const std::string& folder, int map_fd) noexcept {
  struct stat mine{};
  struct stat named{};
  return ::fstat(map_fd, &mine) == 0 &&
         ::fstatat(root, (folder + "/map").c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

// Moved aside in one step, so that nobody opens half of it; only then taken apart.
// False: it was not under its name.
bool remove_folder(Store& store, const std::string& folder, int map_fd) noexcept {
  const std::string trash = fmt::format("ingest/{}", temporary_name("trash"));
  if (!is_under_name(store.root(), folder, map_fd)) return false;
  if (!rename_if_free(store.root(), folder, trash)) return false;
  const bool ours = is_under_name(store.root(), trash, map_fd);
  if (!ours) {
    // Stopped between the look and the rename for so long that the next attempt had the name.
    if (rename_if_free(store.root(), trash, folder)) return false;
    if (auto other = open_ingest_files(store.root(), trash)) {
      other->map.fail();
      other->map.changed();
      store.quota().release(other->map.charged().exchange(0));
    }
  }
  fault_point("ingest.trash");
  remove_tree(store.root(), trash);
  return ours;
}

Result<void> fill_folder(Store& store, const std::string& map_name, const Digest& digest,
                         std::uint64_t size, Ingest& ingest) {
  const int folder = ingest.folder.get();
  ingest.map_fd = TRY(open_at(folder, map_name, O_RDWR | O_CREAT | O_EXCL));
  ingest.data = TRY(open_at(folder, "data", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  mark_open(ingest.data);
  if (::ftruncate(ingest.data.get(), static_cast<off_t>(size)) != 0) {
    return Error::from_errno(errno, "sizing a partial blob");
  }
  ingest.map = TRY(MapFile::create(ingest.map_fd.get(), digest, size, store.state().next_attempt(),
                                   store.folder().boot_id()));
  return {};
}

// A folder without its files is one that somebody took apart by hand. Taken aside before it is
// looked at: another process may just have put a whole one in its place.
void remove_broken(Store& store, const std::string& folder) noexcept {
  if (::faccessat(store.root(), folder.c_str(), F_OK, 0) != 0) return;
  const std::string trash = fmt::format("ingest/{}", temporary_name("trash"));
  if (!rename_if_free(store.root(), folder, trash)) return;
  if (open_ingest_files(store.root(), trash) && rename_if_free(store.root(), trash, folder)) return;
  remove_tree(store.root(), trash);
}

std::uint64_t map_bytes(std::uint64_t size) { return 4096 + (size + kChunk - 1) / kChunk * 16; }

// Made under a name of its own and renamed when it is whole. nullopt: another process was faster.
Result<std::optional<Ingest>> create_folder(Store& store, const Digest& digest,
                                            std::uint64_t size) {
  const std::string temporary = fmt::format("ingest/{}", temporary_name("new"));
  Room room = TRY(Room::take(store, map_bytes(size) + 3 * kSlack));
  const FolderGrowth growth(store.root(), "ingest");
  if (::mkdirat(store.root(), temporary.c_str(), 0700) != 0) {
    return Error::from_errno(errno, fmt::format("beginning {} in the cache", digest.text()));
  }
  Ingest ingest{Fd{}, Fd{}, TRY(MapFile::complete(0)), Fd{}};
  auto filled = [&]() -> Result<void> {
    ingest.folder = TRY(open_at(store.root(), temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    return fill_folder(store, "map", digest, size, ingest);
  }();
  if (filled) {
    // One slack stays with it: what being published takes must be there when all else is full.
    const std::uint64_t charge = allocated_below(store.root(), temporary) + kSlack;
    ingest.map.charged().store(charge);
    try_lock(ingest.map_fd.get(), LockKind::shared, lock_byte::kJoined);
    fault_point("ingest.rename");
    if (rename_if_free(store.root(), temporary, ingest_name(digest))) {
      room.spend(charge + growth.bytes());
      return std::optional<Ingest>(std::move(ingest));
    }
  }
  remove_tree(store.root(), temporary);
  if (filled) return std::optional<Ingest>();
  return std::move(filled).error().with_context(
      fmt::format("beginning {} in the cache", digest.text()));
}

// One process makes the new map, the others wait for it; but for a stopped one not longer than for
// any other lock.
bool wait_to_recover(int map_fd) {
  const auto deadline = std::chrono::steady_clock::now() + kStall;
  while (!try_lock(map_fd, LockKind::exclusive, lock_byte::kRecover)) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// A map that says what the record says, under the name of the old one.
Result<Ingest> replace_map(Store& store, const Digest& digest, const SyncedRecord& record,
                           int folder) {
  for (const std::string& name : names_in(folder, ".")) {  // of who was killed over this
    if (name.starts_with(".map")) ::unlinkat(folder, name.c_str(), 0);
  }
  Room room = TRY(Room::take(store, map_bytes(record.size) + kSlack));
  Ingest ingest{Fd{}, Fd{}, TRY(MapFile::complete(0)),
                TRY(open_at(folder, ".", O_RDONLY | O_DIRECTORY))};
  const std::string temporary = temporary_name("map");
  TRY(fill_folder(store, temporary, digest, record.size, ingest));
  for (std::uint64_t i = 0; i < record.written.size(); ++i) {
    ingest.map.exchange(i, Chunk{}, Chunk{.written = record.written[i]});
  }
  if (record.point.count > 0) ingest.map.save(record.point);
  ingest.map.charged().store(allocated_below(folder, "."));
  room.spend(allocated(ingest.map_fd.get()));
  try_lock(ingest.map_fd.get(), LockKind::shared, lock_byte::kJoined);
  fault_point("ingest.recover");
  if (::renameat(folder, temporary.c_str(), folder, "map") != 0) {
    return Error::from_errno(errno, "making the map of a partial blob anew");
  }
  return ingest;
}

// After the end of the machine the map holds whatever pages reached the disk: only what the synced
// record says counts. nullopt: look again.
Result<std::optional<Ingest>> recover(Store& store, const Digest& digest, std::uint64_t size,
                                      const Ingest& old) {
  const std::string name = ingest_name(digest);
  try_lock(old.map_fd.get(), LockKind::shared, lock_byte::kJoined);  // not to be evicted meanwhile
  const bool first = wait_to_recover(old.map_fd.get());
  // Whoever was first has put another map in its place.
  if (!is_under_name(store.root(), name, old.map_fd.get())) return std::optional<Ingest>();
  const auto record = read_synced(old.folder.get());
  if (first && record && record->size == size && old.map.digest() == digest.text()) {
    auto ingest = replace_map(store, digest, *record, old.folder.get());
    if (!ingest) return std::move(ingest).error();
    if (!is_under_name(store.root(), name, ingest->map_fd.get())) return std::optional<Ingest>();
    return std::optional<Ingest>(std::move(*ingest));
  }
  const std::uint64_t bytes = allocated_below(store.root(), name);
  store.quota().begin_change();
  if (remove_folder(store, name, old.map_fd.get())) store.quota().release(bytes);
  store.quota().end_change();
  return std::optional<Ingest>();
}

// nullopt: what was there is gone now; look again.
Result<std::optional<Ingest>> take_up(Store& store, const Digest& digest, std::uint64_t size,
                                      Ingest ingest) {
  const std::string name = ingest_name(digest);
  if (ingest.map.boot_id() != store.folder().boot_id()) {
    return recover(store, digest, size, ingest);
  }
  const bool joined = try_lock(ingest.map_fd.get(), LockKind::shared, lock_byte::kJoined);
  const bool usable = joined && ingest.map.size() == size && ingest.map.digest() == digest.text() &&
                      !ingest.map.has(MapFile::kFailed | MapFile::kPublished);
  if (usable && is_under_name(store.root(), name, ingest.map_fd.get())) {
    return std::optional<Ingest>(std::move(ingest));
  }
  if (!usable) {
    ingest.map.fail();
    ingest.map.changed();
    remove_ingest(store, digest, ingest);
  }
  return std::optional<Ingest>();
}

}  // namespace

std::uint64_t ingest_bytes(std::uint64_t size) noexcept {
  if (size > std::numeric_limits<std::uint64_t>::max() / 2) return size;
  // Two slacks with it from its beginning, one for the chunk that is reserved; whole blocks.
  return size + map_bytes(size) + 4 * kSlack;
}

Result<Ingest> open_ingest_files(int root, const std::string& folder) {
  Fd dir = TRY(open_at(root, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  Fd map_fd = TRY(open_at(dir.get(), "map", O_RDWR | O_NOFOLLOW));
  MapFile map = TRY(MapFile::open(map_fd.get()));
  Fd data = TRY(open_at(dir.get(), "data", O_RDWR | O_NOFOLLOW));
  mark_open(data);
  return Ingest{std::move(data), std::move(map_fd), std::move(map), std::move(dir)};
}

Result<Ingest> open_ingest(Store& store, const Digest& digest, std::uint64_t size) {
  const std::string name = ingest_name(digest);
  // Each round ends because another process made progress; a bound all the same.
  for (int round = 0; round < 64; ++round) {
    auto found = open_ingest_files(store.root(), name);
    std::optional<Ingest> ingest;
    if (found) {
      ingest = TRY(take_up(store, digest, size, std::move(*found)));
    } else if (found.error().code() == Errc::not_found || found.error().code() == Errc::corrupt) {
      remove_broken(store, name);
      ingest = TRY(create_folder(store, digest, size));
    } else {
      return std::move(found).error();
    }
    if (ingest) return std::move(*ingest);
  }
  return Error(Errc::conflict,
               fmt::format("beginning {} in the cache: it is dropped all the time", digest.text()));
}

void remove_ingest(Store& store, const Digest& digest, const Ingest& ingest) noexcept {
  store.quota().begin_change();
  remove_folder(store, ingest_name(digest), ingest.map_fd.get());
  // Whoever exchanges it gives it back, once.
  store.quota().release(ingest.map.charged().exchange(0));
  store.quota().end_change();
}

std::optional<std::uint64_t> evict_ingest(Store& store, const std::string& name) noexcept {
  const std::string folder = "ingest/" + name;
  auto ingest = open_ingest_files(store.root(), folder);
  if (!ingest) {
    // Any other error says nothing about the folder: too many open files, a disk that fails.
    const Errc code = ingest.error().code();
    if (code != Errc::not_found && code != Errc::corrupt) return {};
    // Half taken apart; whoever did it may still give its room back, so this must not.
    const std::uint64_t before = allocated_below(store.root(), folder);
    store.quota().begin_change();
    remove_tree(store.root(), folder);
    store.quota().end_change();
    return before - std::min(before, allocated_below(store.root(), folder));
  }
  if (!try_lock(ingest->map_fd.get(), LockKind::exclusive, lock_byte::kJoined)) return {};
  ingest->map.fail();
  ingest->map.changed();
  store.quota().begin_change();
  remove_folder(store, folder, ingest->map_fd.get());
  const std::uint64_t bytes = ingest->map.charged().exchange(0);
  store.quota().release(bytes);
  store.quota().end_change();
  return bytes;
}

}  // namespace berth::cache
