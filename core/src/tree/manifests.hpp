// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tree/holdings.hpp"
#include "tree/names.hpp"

namespace berth::tree {

/// A manifest as its folder shows it. Immutable, but for `created`.
struct ManifestView {
  explicit ManifestView(Digest of)
      : digest(std::move(of)) {}

  Digest digest;
  std::string media_type;
  std::string refused;  ///< the bytes, when there is no document: schema 1, unknown or broken
  std::string refusal;  ///< why there is none
  std::optional<oci::ManifestDocument> document;
  std::vector<std::string> layer_names;     ///< of a manifest: one for each layer
  FileTree files;                           ///< of a manifest: by title
  std::vector<std::string> platform_names;  ///< of an index: one for each manifest
  std::optional<Digest> platform;           ///< of an index: what the tree's platform leads to
  /// Stated creation time in unix seconds, 0 when none is stated, -1 when not known yet.
  mutable std::atomic<std::int64_t> created = -1;

  const std::string& raw() const noexcept { return document ? document->raw : refused; }
  const oci::Manifest* manifest() const noexcept {
    return document ? document->manifest() : nullptr;
  }
  const oci::Index* index() const noexcept { return document ? document->index() : nullptr; }
};
using ManifestViewPtr = std::shared_ptr<const ManifestView>;

/// Manifests parsed for their folders, the most recently used in memory; and referrers. Thread
/// safe.
class Manifests {
 public:
  Manifests(Asking& asking, Holdings& holdings);

  /// The repository is asked whether it holds the manifest (content::Store does).
  Result<ManifestViewPtr> get(const Place& place, const Digest& digest, const Context& context);
  /// Unix seconds, when the manifest, or its config where that is at hand, states a time later than
  /// 1980; else nullopt. Never asks.
  std::optional<std::int64_t> created(const Place& place, const ManifestView& view);

  /// What refers to a manifest; kept for tag_ttl.
  Result<std::vector<oci::Descriptor>> referrers(const Place& place, const Digest& digest,
                                                 const Context& context);
  void refresh();

 private:
  struct Referrers {
    std::vector<oci::Descriptor> list;
    Clock::SteadyTime fresh_until;
    Clock::SystemTime fetched;
  };

  Result<ManifestViewPtr> load(const Place& place, const Digest& digest, const Context& context);
  ManifestViewPtr keep(const std::string& key, std::shared_ptr<ManifestView> view);
  void read_document(ManifestView& view) const;
  std::int64_t created_in_config(const Place& place, const oci::Descriptor& config);

  Asking& asking_;
  Holdings& holdings_;
  SingleFlight<ManifestViewPtr> flight_;
  SingleFlight<Referrers> referrers_flight_;
  Mutex mutex_;
  Lru<ManifestViewPtr> views_ BERTH_GUARDED_BY(mutex_);
  Lru<Referrers> referrers_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::tree
