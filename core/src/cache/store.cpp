// SPDX-License-Identifier: Apache-2.0
#include "cache/store.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

#include "cache/evictor.hpp"
#include "cache/shared_file.hpp"

namespace berth::cache {

Store::Store(Folder folder, SharedState state)
    : folder_(std::move(folder)),
      state_(std::move(state)) {}

Result<std::shared_ptr<Store>> Store::open(const Options& options) {
  Folder folder = TRY(Folder::open(options.folder, options.boot_id, *options.clock));
  SharedState state = TRY(SharedState::open(folder));
  // The parts keep references to the folder and the state: they are made where those stay.
  std::shared_ptr<Store> store(new Store(std::move(folder), std::move(state)));
  store->quota_ = std::make_unique<Quota>(store->folder_, store->state_, options.limit);
  store->journal_ = std::make_unique<Journal>(store->folder_, store->state_);
  store->evictor_ = std::make_unique<Evictor>(*store);
  if (store->state_.alone()) store->clean_up();
  store->quota_->open();
  const FolderGrowth growth(store->root(), "recency");
  store->recency_ = std::make_unique<Recency>(store->folder_, store->quota_->limit());
  if (const std::uint64_t grown = growth.bytes()) store->quota_->add(grown);
  // Whoever was killed may have changed what it lists.
  store->index_stale = store->state_.needs_scan();
  store->state_.share();
  return store;
}

Store::~Store() = default;

// Whatever has no name of its own belonged to a process that was killed.
void Store::clean_up() {
  for (const std::string& name : names_in(root(), "ingest")) {
    if (name.starts_with(".")) remove_tree(root(), "ingest/" + name);
  }
  for (const std::string& name : names_in(root(), ".")) {
    if (name.starts_with(".berth")) ::unlinkat(root(), name.c_str(), 0);
  }
}

Result<void> Store::check_writable() const {
  if (!folder_.read_only()) return {};
  return Error(Errc::denied, fmt::format("the cache {} is read-only: it is read, but nothing is "
                                         "added to it",
                                         folder_.path().string()));
}

Result<Room> Room::take(Store& store, std::uint64_t bytes) {
  bool scanned = false;
  // However much is evicted, others may take it: then this one gives up, having had its share.
  std::uint64_t evicted = 0;
  for (;;) {
    store.quota().begin_change();
    if (store.quota().try_reserve(bytes)) return Room(store, bytes);
    // Evicting is a change of its own, and a scan waits for all of them.
    store.quota().end_change();
    if (evicted <= store.quota().limit() && store.quota().fits(bytes)) {
      if (const auto freed = store.evictor().evict_one()) {
        evicted += *freed;
        continue;
      }
    }
    if (!scanned && store.quota().scan_again()) {
      scanned = true;
      continue;
    }
    return Error(
        Errc::no_space,
        fmt::format("the cache {} is full ({} of {} used, and what is left is in use); "
                    "stop what uses it, or {}",
                    store.folder().path().string(), text::format_size(store.quota().used()),
                    text::format_size(store.quota().limit()), store.quota().remedy()));
  }
}

Room Room::take_over(Store& store, std::uint64_t bytes) noexcept {
  store.quota().begin_change();
  return Room(store, bytes);
}

Room::~Room() {
  if (store_ == nullptr) return;
  store_->quota().release(reserved_);
  store_->quota().end_change();
}

void Room::spend(std::uint64_t bytes) noexcept {
  if (bytes > reserved_) store_->quota().add(bytes - reserved_);
  reserved_ -= std::min(reserved_, bytes);
}

Result<void> replace_file(Store& store, const std::string& name, std::string_view text) {
  Room room = TRY(Room::take(store, text.size() + kSlack));
  return replace_file(store, room, name, text);
}

Result<void> replace_file(Store& store, Room& room, const std::string& name,
                          std::string_view text) {
  const int root = store.root();
  const std::string temporary = fmt::format("ingest/{}", temporary_name("replace"));
  Fd fd = TRY(open_at(root, temporary, O_WRONLY | O_CREAT | O_EXCL));
  auto written = write_all(fd.get(), as_bytes(text));
  room.spend(allocated(fd.get()));
  // Exchanged, not renamed over: so what is taken off the count is what this call removed, not
  // what an evictor has removed meanwhile. Renaming over counts too much, which is safe.
  if (written && ::renameat2(root, temporary.c_str(), root, name.c_str(), RENAME_EXCHANGE) != 0 &&
      ::renameat(root, temporary.c_str(), root, name.c_str()) != 0) {
    written = Error::from_errno(errno, fmt::format("replacing {} of the cache", name));
  }
  const std::uint64_t old = allocated_below(root, temporary);
  if (::unlinkat(root, temporary.c_str(), 0) == 0) store.quota().release(old);
  return written;
}

FolderGrowth::FolderGrowth(int root, const char* name)
    : root_(root),
      name_(name) {
  before_ = bytes();
}

std::uint64_t FolderGrowth::bytes() const {
  struct stat info{};
  if (::fstatat(root_, name_, &info, AT_SYMLINK_NOFOLLOW) != 0) return 0;
  const std::uint64_t now = allocated(info);
  return now > before_ ? now - before_ : 0;
}

}  // namespace berth::cache
