// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <vector>

#include "berth/base/single_flight.hpp"
#include "berth/base/sync.hpp"
#include "berth/cache/cache.hpp"

#include "cache/folder.hpp"
#include "cache/journal.hpp"
#include "cache/quota.hpp"
#include "cache/recency.hpp"
#include "cache/shared_state.hpp"

namespace berth::cache {

class Evictor;

/// One opened folder with all that its parts share. When the folder is removed and made again, a
/// new Store takes its place; what still refers to the old one keeps it. Thread safe.
///
/// Lock order: a partial's mutex -> Evictor's -> Journal's and Quota's.
class Store {
 public:
  static Result<std::shared_ptr<Store>> open(const Options& options);
  ~Store();

  const Folder& folder() const noexcept { return folder_; }
  int root() const noexcept { return folder_.root(); }
  SharedState& state() noexcept { return state_; }
  Quota& quota() noexcept { return *quota_; }
  Journal& journal() noexcept { return *journal_; }
  Recency& recency() noexcept { return *recency_; }
  Evictor& evictor() noexcept { return *evictor_; }
  Clock& clock() const noexcept { return folder_.clock(); }
  /// Errc::denied in a read-only folder.
  Result<void> check_writable() const;

  /// index.json may list what is not whole any more, or not list what is.
  std::atomic<bool> index_stale{false};
  /// Who hashes a blob that is not trusted yet, for all who ask for it.
  SingleFlight<bool> hashing;

 private:
  Store(Folder folder, SharedState state);
  void clean_up();

  Folder folder_;
  SharedState state_;
  std::unique_ptr<Quota> quota_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Recency> recency_;
  std::unique_ptr<Evictor> evictor_;
};

/// Room reserved for one change of the folder: evicts to make it, keeps scans out while it lives.
/// Short-lived. What is not settled is given back.
class Room {
 public:
  /// Errc::no_space when nothing more can go.
  static Result<Room> take(Store& store, std::uint64_t bytes);
  /// Takes over room that was counted before: what a partial blob keeps for being published.
  static Room take_over(Store& store, std::uint64_t bytes) noexcept;
  Room(Room&& other) noexcept
      : store_(std::exchange(other.store_, nullptr)),
        reserved_(other.reserved_) {}
  Room& operator=(Room&&) = delete;
  ~Room();
  /// What was not spent stays counted, and is the caller's from now on. Returns how much.
  std::uint64_t keep() noexcept { return std::exchange(reserved_, 0); }
  /// `bytes` of what was reserved were taken on the disk (or more: the file system decides).
  void spend(std::uint64_t bytes) noexcept;

 private:
  Room(Store& store, std::uint64_t bytes)
      : store_(&store),
        reserved_(bytes) {}
  Store* store_;
  std::uint64_t reserved_;
};

/// By how much a folder of the cache grows while this lives: names take room, too.
class FolderGrowth {
 public:
  FolderGrowth(int root, const char* name);
  std::uint64_t bytes() const;

 private:
  int root_;
  const char* name_;
  std::uint64_t before_ = 0;
};

/// Puts `text` in the place of a file of the cache, whole, whether it is there or not.
Result<void> replace_file(Store& store, const std::string& name, std::string_view text);
/// The same with room that was taken before.
Result<void> replace_file(Store& store, Room& room, const std::string& name, std::string_view text);

/// The complete blob, opened, with a shared lock that keeps it from being evicted. Hashes it first
/// where it is not to be trusted: would_block for a non-blocking Context.
Result<std::optional<Blob>> find_blob(Store& store, const Digest& digest, const Context& context);
bool has_blob(const Store& store, const Digest& digest);
/// Stores verified bytes whole.
Result<void> put_blob(Store& store, const Digest& digest, ByteView bytes);
/// Gives a file of ingest/ that was found right its name under blobs/: mode 0444, journal, rename.
/// False when another process was faster: its file has the same bytes, and ours keeps its name.
/// Errc::not_found: `name` is gone.
Result<bool> link_blob(Store& store, Room& room, const Digest& digest, int fd,
                       const std::string& name);
/// Removes a blob that is wrong.
void drop_blob(Store& store, const Digest& digest);

struct BlobFile {
  Digest digest;
  std::uint64_t size = 0;
  std::uint64_t allocated = 0;
  std::int64_t changed = 0;  ///< microseconds since 1970
};
std::vector<BlobFile> list_blobs(const Store& store);

/// Hashes a whole file. Errc::digest_mismatch unless it has the digest.
Result<void> verify_file(int fd, const Digest& digest,
                         const std::function<void(std::uint64_t)>& progress,
                         const Context& context);

}  // namespace berth::cache
