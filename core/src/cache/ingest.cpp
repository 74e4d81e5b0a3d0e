// SPDX-License-Identifier: Apache-2.0
#include "cache/ingest.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

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

Result<Ingest> open_files(int root, const std::string& folder) {
  Fd map_fd = TRY(open_at(root, folder + "/map", O_RDWR | O_NOFOLLOW));
  MapFile map = TRY(MapFile::open(map_fd.get()));
  Fd data = TRY(open_at(root, folder + "/data", O_RDWR | O_NOFOLLOW));
  return Ingest{std::move(data), std::move(map_fd), std::move(map)};
}

bool is_under_name(int root, const std::string& folder, int map_fd) noexcept {
  struct stat mine{};
  struct stat named{};
  return ::fstat(map_fd, &mine) == 0 &&
         ::fstatat(root, (folder + "/map").c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

// Moved aside in one step, so that nobody opens half of it; only then taken apart.
void remove_folder(Store& store, const std::string& folder, int map_fd) noexcept {
  const std::string trash = fmt::format("ingest/{}", temporary_name("trash"));
  if (!is_under_name(store.root(), folder, map_fd)) return;
  if (!rename_if_free(store.root(), folder, trash)) return;
  if (!is_under_name(store.root(), trash, map_fd)) {
    // Stopped between the look and the rename for so long that the next attempt had the name.
    if (rename_if_free(store.root(), trash, folder)) return;
    if (auto other = open_files(store.root(), trash)) {
      other->map.fail();
      other->map.changed();
    }
  }
  fault_point("ingest.trash");
  remove_tree(store.root(), trash);
}

Result<void> fill_folder(Store& store, const std::string& folder, const Digest& digest,
                         std::uint64_t size, Ingest& ingest) {
  ingest.map_fd = TRY(open_at(store.root(), folder + "/map", O_RDWR | O_CREAT | O_EXCL));
  ingest.data = TRY(open_at(store.root(), folder + "/data", O_RDWR | O_CREAT, 0600));
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
  if (open_files(store.root(), trash) && rename_if_free(store.root(), trash, folder)) return;
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
  Ingest ingest{Fd{}, Fd{}, TRY(MapFile::complete(0))};
  auto filled = fill_folder(store, temporary, digest, size, ingest);
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

// After the end of the machine the map holds whatever pages reached the disk: only what the synced
// record says counts. The folder is taken aside meanwhile, so that one process does it.
Result<std::optional<Ingest>> recover(Store& store, const Digest& digest, std::uint64_t size,
                                      const Ingest& old) {
  const std::string name = ingest_name(digest);
  const std::string aside = fmt::format("ingest/{}", temporary_name("recover"));
  if (!rename_if_free(store.root(), name, aside)) return std::optional<Ingest>();
  const auto drop = [&] {
    const std::uint64_t bytes = allocated_below(store.root(), aside);
    store.quota().begin_change();
    remove_tree(store.root(), aside);
    store.quota().release(bytes);
    store.quota().end_change();
    return std::optional<Ingest>();
  };
  const auto record = read_synced(store.root(), aside);
  if (!record || record->size != size || old.map.digest() != digest.text()) return drop();
  ::unlinkat(store.root(), (aside + "/map").c_str(), 0);
  Ingest ingest{Fd{}, Fd{}, TRY(MapFile::complete(0))};
  if (!fill_folder(store, aside, digest, size, ingest)) return drop();
  for (std::uint64_t i = 0; i < record->written.size(); ++i) {
    ingest.map.exchange(i, Chunk{}, Chunk{.written = record->written[i]});
  }
  if (record->point.count > 0) ingest.map.save(record->point);
  ingest.map.charged().store(allocated_below(store.root(), aside));
  try_lock(ingest.map_fd.get(), LockKind::shared, lock_byte::kJoined);
  if (!rename_if_free(store.root(), aside, name)) return drop();
  return std::optional<Ingest>(std::move(ingest));
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

Result<Ingest> open_ingest(Store& store, const Digest& digest, std::uint64_t size) {
  const std::string name = ingest_name(digest);
  // Each round ends because another process made progress; a bound all the same.
  for (int round = 0; round < 64; ++round) {
    auto found = open_files(store.root(), name);
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
  auto ingest = open_files(store.root(), folder);
  if (!ingest) {
    // Half taken apart; whoever did it may still give its room back, so this must not.
    const std::uint64_t bytes = allocated_below(store.root(), folder);
    store.quota().begin_change();
    remove_tree(store.root(), folder);
    store.quota().end_change();
    return bytes;
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
