// SPDX-License-Identifier: Apache-2.0
#include "content/copy_plan.hpp"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "berth/base/try.hpp"
#include "berth/oci/media_type.hpp"

namespace berth::content {
namespace {

/// An index in an index in an index: nobody builds that, but a registry may claim it.
constexpr int kDepth = 8;
/// Manifests of one copy: it holds them in memory.
constexpr std::size_t kManifests = 20'000;

class Planner {
 public:
  explicit Planner(const CopyRequest& request)
      : request_(request) {}

  Result<CopyPlan> plan(const Digest& digest);

 private:
  Result<oci::Descriptor> choose(oci::Descriptor root);
  Result<void> add_manifest(const oci::Descriptor& descriptor, int depth);
  Result<void> add_referrers();
  void add_blob(const oci::Descriptor& descriptor);
  Result<oci::ManifestDocument> document(const Digest& digest) {
    return request_.store.manifest(request_.source, request_.repository, digest, request_.context);
  }

  const CopyRequest& request_;
  CopyPlan plan_;
  std::set<Digest> manifests_;
  std::set<Digest> blobs_;
};

Result<CopyPlan> Planner::plan(const Digest& digest) {
  const auto named = TRY(document(digest));
  const auto root = TRY(choose(named.descriptor()));
  TRY(add_manifest(root, 0));
  plan_.roots.push_back(root);
  if (request_.options.referrers) TRY(add_referrers());
  // The largest first, or it would be waited for alone at the end; the same order each time.
  std::ranges::sort(plan_.blobs, [](const oci::Descriptor& a, const oci::Descriptor& b) {
    return a.size != b.size ? a.size > b.size : a.digest < b.digest;
  });
  for (const oci::Descriptor& blob : plan_.blobs) plan_.bytes += blob.size;
  return std::move(plan_);
}

// The manifest of the platform that is asked for, through as many indexes as lie before it.
Result<oci::Descriptor> Planner::choose(oci::Descriptor root) {
  if (!request_.options.platform) return root;
  const oci::Platform& wanted = *request_.options.platform;
  for (int depth = 0; depth < kDepth; ++depth) {
    const auto parent = TRY(document(root.digest));
    if (parent.index() == nullptr) return root;
    const auto quality = [&wanted](const oci::Descriptor& descriptor) {
      return descriptor.platform ? oci::match_quality(wanted, *descriptor.platform) : 0;
    };
    const auto& manifests = parent.index()->manifests;
    const auto best = std::ranges::max_element(manifests, {}, quality);
    if (best == manifests.end() || quality(*best) == 0) {
      std::string offered;
      for (const oci::Descriptor& other : manifests) {
        if (!other.platform) continue;
        offered += (offered.empty() ? "" : ", ") + other.platform->text();
      }
      return Error(Errc::not_found,
                   fmt::format("{} has no manifest for {}; it has: {}", root.digest.text(),
                               wanted.text(), offered.empty() ? "none with a platform" : offered));
    }
    root = *best;
  }
  return Error(Errc::too_large, "indexes lie too deep in one another");
}

Result<void> Planner::add_manifest(const oci::Descriptor& descriptor, int depth) {
  if (depth > kDepth) return Error(Errc::too_large, "indexes lie too deep in one another");
  if (!manifests_.insert(descriptor.digest).second) return {};
  if (manifests_.size() > kManifests) return Error(Errc::too_large, "too many manifests to copy");
  auto parsed = TRY(document(descriptor.digest));
  if (const oci::Index* index = parsed.index()) {
    for (const oci::Descriptor& child : index->manifests) TRY(add_manifest(child, depth + 1));
  } else if (const oci::Manifest* manifest = parsed.manifest()) {
    add_blob(manifest->config);
    std::ranges::for_each(manifest->layers, [this](const auto& layer) { add_blob(layer); });
  }
  plan_.manifests.push_back({descriptor, std::move(parsed.raw)});
  return {};
}

void Planner::add_blob(const oci::Descriptor& descriptor) {
  if (blobs_.insert(descriptor.digest).second) plan_.blobs.push_back(descriptor);
}

// What refers to a copied manifest, and what refers to that.
Result<void> Planner::add_referrers() {
  for (std::size_t i = 0; i < plan_.manifests.size(); ++i) {
    const Digest subject = plan_.manifests[i].descriptor.digest;
    auto found = request_.source->referrers(request_.repository, subject, request_.context);
    if (!found && found.error().code() == Errc::not_found) continue;
    const auto referrers = TRY(std::move(found));
    for (const oci::Descriptor& referrer : referrers) {
      if (manifests_.contains(referrer.digest)) continue;
      TRY(add_manifest(referrer, 0));
      plan_.roots.push_back(referrer);
    }
  }
  return {};
}

}  // namespace

Result<CopyPlan> plan_copy(const CopyRequest& request, const Digest& digest) {
  return Planner(request).plan(digest);
}

}  // namespace berth::content
