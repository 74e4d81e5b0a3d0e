// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "berth/base/clock.hpp"
#include "berth/base/environment.hpp"
#include "berth/base/fd.hpp"
#include "berth/cache/partial.hpp"
#include "berth/cache/remembered.hpp"
#include "berth/digest/digest.hpp"

namespace berth::cache {

/// $BERTH_CACHE, else /var/cache/berth for root's daemons (`daemon` and uid 0), else
/// $XDG_CACHE_HOME/berth, else ~/.cache/berth. Errc::io, with the remedy, when none can be
/// told.
Result<std::filesystem::path> default_folder(const Environment& environment, bool daemon);

struct Options {
  std::filesystem::path folder;
  /// Quota in bytes of allocated blocks; 0: the one written down in the folder (`cache limit`),
  /// else 90 % of what the file system has free plus what the cache holds, at most 50 GiB.
  std::uint64_t limit = 0;
  Clock* clock = &real_clock();  ///< must outlive the cache
  /// What tells one run of the machine from another. "": the kernel's. For tests.
  std::string boot_id;
};

/// A complete, verified blob that stays while this handle lives (eviction passes it by). Movable.
struct Blob {
  Digest digest;
  std::uint64_t size = 0;
  Fd fd;  ///< open for reading, a shared lock held on it
};

struct Status {
  std::filesystem::path folder;
  std::uint64_t used = 0;  ///< bytes of allocated blocks, over all processes
  std::uint64_t limit = 0;
  std::uint64_t blobs = 0;
  std::uint64_t partial = 0;  ///< partial blobs
  std::uint64_t partial_bytes = 0;
};

struct VerifyReport {
  std::uint64_t checked = 0;
  std::uint64_t bytes = 0;
  std::vector<Digest> bad;  ///< they were removed
};

/// DESIGN section 4: the content-addressable store of one user, shared by any number of processes.
/// A file under blobs/ has the digest of its name, always. Thread safe.
class Cache {
 public:
  /// Makes the folder where it is missing (0700). Errors, each with the remedy: denied (another
  /// owner or mode), corrupt (another format version), io (it cannot be made), no_space.
  static Result<std::unique_ptr<Cache>> open(Options options);
  ~Cache();

  /// A complete blob, and touches its recency. nullopt when absent. A blob that was linked after
  /// the last sync point of a machine that ended since is hashed again first, once however many
  /// ask; would_block where the Context does not allow that.
  Result<std::optional<Blob>> find(const Digest& digest, const Context& context = {});
  /// Is it there? Without touching or opening.
  bool contains(const Digest& digest) const;

  /// Joins the partial blob, or begins it. Every caller of this process gets the same object.
  /// `size` is what the descriptor promises; a partial blob of another size is dropped.
  /// Errc::no_space when the folder cannot take even its bookkeeping: the caller then reads past
  /// the cache. Errc::unsupported for digests that cannot be verified. A non-blocking Context gets
  /// what this process has joined already, else would_block: beginning may evict, wait and hash.
  Result<std::shared_ptr<Partial>> join(const Digest& digest, std::uint64_t size,
                                        const Context& context = {});

  /// Stores small content whole; verifies it first (digest_mismatch). no_space when there is no
  /// room.
  Result<void> put(const Digest& digest, ByteView bytes);
  /// A whole small blob from the cache; nullopt when absent. too_large beyond `limit`; would_block
  /// as find().
  Result<std::optional<std::string>> get(const Digest& digest, std::size_t limit,
                                         const Context& context = {});

  Remembered& remembered() noexcept;

  Result<Status> status() const;
  /// Hashes every blob again; drops those that are wrong. `progress` gets bytes done.
  Result<VerifyReport> verify(const std::function<void(std::uint64_t)>& progress,
                              const Context& context);
  /// Evicts the least recently used until at most `keep` bytes are used; what is open stays.
  /// Returns bytes freed.
  Result<std::uint64_t> prune(std::uint64_t keep, const Context& context);
  /// Writes the quota down for all processes, and evicts down to it.
  Result<void> set_limit(std::uint64_t bytes, const Context& context);
  std::uint64_t limit() const;
  /// What would make room: names the limit or the disk, whichever is the narrower. The end of a
  /// sentence, for messages.
  std::string remedy() const;
  /// The folder cannot be written to: what it holds is served, and nothing is kept.
  bool is_read_only() const;

  /// A sync point: what was linked before it survives the end of the machine unquestioned, and
  /// partial blobs, whoever fills them, count up to it. Waits for the disk: called now and then
  /// while bytes arrive. The destructor does it for blobs only when a thousand wait for it: a
  /// command that ends leaves them to the next process that is idle; and for the partial blobs that
  /// this process joined.
  Result<void> sync_data();
  /// The same, and rewrites index.json: the tags that are remembered (Remembered::set_tag) and
  /// whose images are complete. Called when idle.
  Result<void> sync();
  /// This process changed what index.json lists, or may have, since sync() wrote it.
  bool is_index_stale() const;

  const std::filesystem::path& folder() const noexcept;

 private:
  struct Impl;
  explicit Cache(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::cache
