// SPDX-License-Identifier: Apache-2.0
#include "cache/evictor.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "cache/fault_point.hpp"
#include "cache/ingest.hpp"
#include "cache/shared_file.hpp"

namespace berth::cache {
namespace {

std::int64_t modified(int root, const std::string& path) {
  struct stat info{};
  if (::fstatat(root, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return 0;
  return info.st_mtim.tv_sec * 1'000'000LL + info.st_mtim.tv_nsec / 1000;
}

std::optional<Digest> digest_of_folder(const std::string& name) {
  const std::size_t dash = name.find('-');
  if (dash == std::string::npos) return {};
  const auto digest = Digest::from_parts(name.substr(0, dash), name.substr(dash + 1));
  if (!digest) return {};
  return *digest;
}

// nullopt: somebody has it open.
std::optional<std::uint64_t> evict_blob(Store& store, const std::string& path) {
  auto fd = open_at(store.root(), path, O_RDONLY | O_NOFOLLOW);
  if (!fd) return 0;
  if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) return {};
  fault_point("evict.locked");
  const std::uint64_t bytes = allocated(fd->get());
  store.quota().begin_change();
  const bool removed = ::unlinkat(store.root(), path.c_str(), 0) == 0;
  if (removed) {
    store.quota().release(bytes);
    store.index_stale = true;
  }
  store.quota().end_change();
  return removed ? bytes : 0;
}

// Taken by a rename first: of several processes that chose the same, one gives its room back.
std::uint64_t evict_tree(Store& store, const std::string& path) {
  const std::string taken = fmt::format("ingest/{}", temporary_name("evicted"));
  store.quota().begin_change();
  std::uint64_t bytes = 0;
  if (::renameat(store.root(), path.c_str(), store.root(), taken.c_str()) == 0) {
    const std::uint64_t before = allocated_below(store.root(), taken);
    remove_tree(store.root(), taken);
    bytes = before - std::min(before, allocated_below(store.root(), taken));
    store.quota().release(bytes);
    store.index_stale = true;
  }
  store.quota().end_change();
  return bytes;
}

}  // namespace

std::uint64_t allocated_below(int root, const std::string& path) {
  struct stat info{};
  if (::fstatat(root, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return 0;
  std::uint64_t bytes = allocated(info);
  if (!S_ISDIR(info.st_mode)) return bytes;
  for (const std::string& name : names_in(root, path)) {
    bytes += allocated_below(root, path + "/" + name);
  }
  return bytes;
}

std::optional<std::uint64_t> Evictor::evict_one() {
  MutexLock lock(mutex_);
  if (auto bytes = evict_from_list()) return bytes;
  collect();
  return evict_from_list();
}

std::optional<std::uint64_t> Evictor::evict_from_list() {
  while (!victims_.empty()) {
    Victim victim = std::move(victims_.back());
    victims_.pop_back();
    // Used since the list was made: its turn comes with the next list.
    if (victim.digest && last_used(*victim.digest, 0) > victim.last_used) continue;
    if (auto bytes = evict(victim); bytes && *bytes > 0) return bytes;
  }
  return {};
}

std::optional<std::uint64_t> Evictor::evict(const Victim& victim) {
  switch (victim.kind) {
    case Kind::blob:
      return evict_blob(store_, victim.path);
    case Kind::partial:
      return evict_ingest(store_, victim.path);
    case Kind::layer:
    case Kind::remembered:
      return evict_tree(store_, victim.path);
  }
  return {};
}

std::int64_t Evictor::last_used(const Digest& digest, std::int64_t otherwise) {
  const std::int64_t known = store_.recency().last_used(digest);
  return known != 0 ? known : otherwise;
}

void Evictor::collect() {
  victims_.clear();
  for (const BlobFile& blob : list_blobs(store_)) {
    victims_.push_back(
        {Kind::blob, last_used(blob.digest, blob.changed), blob_name(blob.digest), blob.digest});
  }
  collect_ingest();
  collect_below("layers", Kind::layer);
  for (const std::string& registry : names_in(store_.root(), "remembered")) {
    collect_below("remembered/" + registry, Kind::remembered);
  }
  std::sort(victims_.begin(), victims_.end(), [](const Victim& a, const Victim& b) {
    const bool a_listing = a.kind == Kind::remembered;
    const bool b_listing = b.kind == Kind::remembered;
    if (a_listing != b_listing) return a_listing;
    return a.last_used > b.last_used;
  });
}

void Evictor::collect_ingest() {
  for (const std::string& name : names_in(store_.root(), "ingest")) {
    const std::string path = "ingest/" + name;
    // Trash that is not locked is what somebody was killed over; it goes first. Other temporary
    // names may be in work, and are left to the next process that is alone here.
    if (name.starts_with(".trash")) {
      victims_.push_back({Kind::partial, 0, name, {}});
      continue;
    }
    const auto digest = digest_of_folder(name);
    if (!digest) continue;
    const std::int64_t changed = modified(store_.root(), path + "/data");
    victims_.push_back({Kind::partial, last_used(*digest, changed), name, digest});
  }
}

void Evictor::collect_below(const std::string& folder, Kind kind) {
  for (const std::string& name : names_in(store_.root(), folder)) {
    const std::string path = fmt::format("{}/{}", folder, name);
    victims_.push_back({kind, modified(store_.root(), path), path, {}});
  }
}

}  // namespace berth::cache
