// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tree/asking.hpp"
#include "tree/lru.hpp"

namespace berth::tree {

/// A manifest or blob that a repository holds.
struct Held {
  /// Whose time it is. A later one of these is the better one.
  enum class Time : std::uint8_t { seen, of_tag, own };
  std::uint64_t size = 0;
  std::string media_type;       ///< "" when unknown
  std::int64_t first_seen = 0;  ///< unix seconds; or its last update, or its tag's, as told
  Time time = Time::seen;
};

/// Which digests a repository is known to hold, and the asking for others. Thread safe.
class Holdings {
 public:
  explicit Holdings(Asking& asking);

  /// A tag, an index or a referrer names this manifest; `first_seen` 0: now.
  void note_manifest(const Place& place, const Digest& digest, const Held& held);
  /// A manifest was read here: what it names belongs to the repository.
  void note_document(const Place& place, const oci::ManifestDocument& document);

  /// What is known about it: in memory, else on disk. Never asks. Names of an index and of
  /// referrers alone do not count: registries need not hold what those name.
  std::optional<Held> manifest(const Place& place, const Digest& digest);
  std::optional<Held> blob(const Place& place, const Digest& digest);

  /// The same, else by HEAD. not_found when the repository does not hold it; kept for negative_ttl.
  Result<Held> find_manifest(const Place& place, const Digest& digest, const Context& context);
  Result<Held> find_blob(const Place& place, const Digest& digest, const Context& context);

  /// For listings, with what is only named.
  std::vector<Digest> manifests(const Place& place);
  std::vector<Digest> blobs(const Place& place);
  void note_named(const Place& place, const Digest& manifest);
  void refresh();

 private:
  /// nullopt: named, but not seen to be held.
  using Digests = std::map<Digest, std::optional<Held>>;
  struct Repository {
    Digests manifests;
    Digests blobs;
  };

  std::shared_ptr<Repository> repository(const Place& place) BERTH_REQUIRES(mutex_);
  void add(Digests& digests, const Digest& digest, std::optional<Held> held) BERTH_REQUIRES(mutex_);
  std::optional<Held> in_memory(const Place& place, const Digest& digest, bool manifest);
  bool is_absent(const std::string& key);
  template <class Head>
  Result<Held> find(const Place& place, const Digest& digest, bool manifest, const Context& context,
                    Head&& head);

  Asking& asking_;
  SingleFlight<Held> flight_;
  Mutex mutex_;
  Lru<std::shared_ptr<Repository>> repositories_ BERTH_GUARDED_BY(mutex_);
  Lru<Clock::SteadyTime> absent_ BERTH_GUARDED_BY(mutex_);  ///< until when
};

}  // namespace berth::tree
