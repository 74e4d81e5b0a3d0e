// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "berth/cache/cache.hpp"
#include "berth/content/source.hpp"

namespace berth::content {

/// Blobs up to this size are verified before their first byte is given.
inline constexpr std::uint64_t kVerifyFirst = 4 * 1024 * 1024;

/// An open blob: bound to the attempt whose bytes it first gave (DESIGN section 4, "What a reader
/// may believe"). Thread safe; reads wait for the network unless the Context is non-blocking
/// (would_block).
class BlobReader {
 public:
  virtual ~BlobReader() = default;
  virtual std::uint64_t size() const noexcept = 0;
  /// Complete and verified when it was opened: the kernel may keep its pages.
  virtual bool complete() const noexcept = 0;
  /// Every byte that it has given is known to be right by now.
  virtual bool settled() const noexcept { return complete(); }
  /// Fills `out`, but for the end of the blob: returns how many bytes. Never short otherwise. The
  /// read that holds the last byte waits for the digest. digest_mismatch or io once the attempt has
  /// failed, and ever after.
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out,
                                   const Context& context) = 0;
  struct FileRange {
    int fd;  ///< stays open while the reader lives
    std::uint64_t offset;
  };
  /// The bytes as a range of a file, when they can be given now; nullopt: use read().
  virtual std::optional<FileRange> file_range(std::uint64_t /*offset*/, std::uint64_t /*length*/) {
    return std::nullopt;
  }
  /// The same, and waits for bytes that are on their way, as read() does and with its errors.
  virtual Result<std::optional<FileRange>> wait_for_range(std::uint64_t offset,
                                                          std::uint64_t length,
                                                          const Context& /*context*/) {
    return file_range(offset, length);
  }
  /// The cache's own file of the blob, once it is complete and verified. It may be given a second
  /// name and must not be written to. It stays open while the reader lives. nullopt: there is none.
  virtual std::optional<int> cache_file() const { return std::nullopt; }
};

/// When a blob that comes over one connection is fetched over more, by ranges.
struct Spreading {
  std::uint64_t from = 64 * 1024 * 1024;     ///< so many bytes must be left
  std::uint64_t below = 200'000'000;         ///< bytes a second: what is faster needs no help
  std::chrono::milliseconds measured{1000};  ///< so long
  std::uint64_t part = 16 * 1024 * 1024;     ///< of one request; whole chunks of the cache
  int jobs = 3;                              ///< connections beside the first
};

struct StoreOptions {
  bool verify_full =
      false;             ///< -o verify=full: no byte of any blob before its digest was found right
  bool offline = false;  ///< the network is not asked: unavailable for what is not cached
  /// Told after an attempt failed and its waiting reads were answered; on a thread that serves
  /// nothing.
  std::function<void(const Digest&)> on_dropped;
  Spreading spreading;
  Clock* clock = &real_clock();
};

struct StoreCounters {
  std::uint64_t cache_hits = 0, cache_misses = 0;
  std::uint64_t bytes_fetched = 0, bytes_from_cache = 0;
  std::uint64_t digest_mismatches = 0, bypassed = 0;
};

/// Progress of a transfer: bytes that are there now, of a total (0: unknown).
using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Content through the cache, for all threads of one process: one download, many readers. Thread
/// safe.
class Store {
 public:
  /// `cache` must outlive the store.
  Store(cache::Cache& cache, StoreOptions options);
  ~Store();

  /// A manifest or index by digest, verified; from the cache where it is and the repository was
  /// seen to hold it.
  Result<oci::ManifestDocument> manifest(const std::shared_ptr<Source>& source,
                                         const std::string& repository, const Digest& digest,
                                         const Context& context);
  /// The exact bytes, also of types that berth does not parse.
  Result<registry::Client::RawManifest> raw_manifest(const std::shared_ptr<Source>& source,
                                                     const std::string& repository,
                                                     const Digest& digest, const Context& context);

  /// Opens a blob of known size (a descriptor's). Nothing is fetched before the first read, but
  /// that the repository holds it must have been seen (Remembered::seen) or is asked by HEAD. The
  /// download goes on while a reader is open.
  Result<std::shared_ptr<BlobReader>> open_blob(const std::shared_ptr<Source>& source,
                                                const std::string& repository, const Digest& digest,
                                                std::uint64_t size, const Context& context);

  /// A whole small blob (a config), verified. too_large beyond `limit`.
  Result<std::string> small_blob(const std::shared_ptr<Source>& source,
                                 const std::string& repository, const Digest& digest,
                                 std::uint64_t size, std::size_t limit, const Context& context);

  /// Something was pushed to the repository, or removed from it: what was learned of its tags, and
  /// of the registry's list where that does not fit any more, is asked for again by every process.
  void note_change(const std::string& registry, const std::string& repository);

  StoreCounters counters() const;
  cache::Cache& cache() noexcept;
  const StoreOptions& options() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::content
