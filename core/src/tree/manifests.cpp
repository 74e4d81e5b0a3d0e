// SPDX-License-Identifier: Apache-2.0
#include "tree/manifests.hpp"

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/json/value.hpp"
#include "berth/oci/media_type.hpp"

namespace berth::tree {
namespace {

constexpr std::size_t kViews = 256;
constexpr std::size_t kViewBytes = 16 * 1024 * 1024;
constexpr std::size_t kReferrerLists = 1024;
constexpr std::size_t kConfigLimit = 1024 * 1024;  ///< read for its date; a real one has 2-20 KiB
constexpr std::int64_t k1980 = 315'532'800;  ///< reproducible builds say 1970 or 1980: no date

/// 0 for what states no date.
std::int64_t date_in(std::string_view text) {
  const auto date = text::parse_rfc3339(text);
  return date && *date > k1980 ? *date : 0;
}

std::optional<Digest> choose_platform(const oci::Index& index, const oci::Platform& wanted) {
  const oci::Descriptor* best = nullptr;
  int best_quality = 0;
  for (const oci::Descriptor& manifest : index.manifests) {
    if (!manifest.platform) continue;
    const int quality = oci::match_quality(wanted, *manifest.platform);
    if (quality <= best_quality) continue;
    best = &manifest;
    best_quality = quality;
  }
  if (best == nullptr) return std::nullopt;
  return best->digest;
}

/// Types and shapes that have no view. Whether a registry or berth is to blame, the bytes are
/// there.
bool is_refused(const Error& error) {
  return error.code() == Errc::unsupported || error.code() == Errc::corrupt ||
         error.code() == Errc::too_large;
}

}  // namespace

Manifests::Manifests(Asking& asking, Holdings& holdings)
    : asking_(asking),
      holdings_(holdings),
      views_(kViews, kViewBytes),
      referrers_(kReferrerLists, kReferrerLists) {}

Result<ManifestViewPtr> Manifests::get(const Place& place, const Digest& digest,
                                       const Context& context) {
  const std::string key = place.key() + '\n' + digest.text();
  {
    const MutexLock lock(mutex_);
    if (const ManifestViewPtr* found = views_.get(key)) return *found;
  }
  // The cache may have it: that is no wait.
  if (context.is_nonblocking()) return load(place, digest, context);
  return flight_.run(key, context, [&] { return load(place, digest, context); });
}

Result<ManifestViewPtr> Manifests::load(const Place& place, const Digest& digest,
                                        const Context& context) {
  const auto source = TRY(asking_.source(place.registry));
  auto view = std::make_shared<ManifestView>(digest);
  auto document = asking_.sources().manifest(source, place.repository, digest, context);
  if (document) {
    view->media_type = document->media_type;
    view->document = *std::move(document);
    read_document(*view);
    holdings_.note_document(place, *view->document);
  } else if (is_refused(document.error())) {
    auto raw = TRY(asking_.sources().raw_manifest(source, place.repository, digest, context));
    log::info(fmt::format("{}@{} is shown as manifest.json only: {}", place.text(), digest.text(),
                          document.error().message()));
    view->refused = std::move(raw.raw);
    view->refusal = document.error().message();
    view->media_type = std::move(raw.media_type);
    holdings_.note_manifest(place, digest, {view->refused.size(), view->media_type, 0});
  } else {
    return document.error();
  }
  return keep(place.key() + '\n' + digest.text(), std::move(view));
}

ManifestViewPtr Manifests::keep(const std::string& key, std::shared_ptr<ManifestView> view) {
  // Parsed, a manifest takes about three times its text; names and titles are in that.
  const std::size_t cost = 1024 + 3 * view->raw().size();
  const MutexLock lock(mutex_);
  return views_.put(key, std::move(view), cost);
}

void Manifests::read_document(ManifestView& view) const {
  if (const oci::Manifest* manifest = view.manifest()) {
    view.layer_names = layer_names(manifest->layers);
    view.files = make_file_tree(manifest->layers);
  } else if (const oci::Index* index = view.index()) {
    view.platform_names = platform_names(index->manifests);
    view.platform = choose_platform(*index, asking_.options().platform);
  }
}

std::optional<std::int64_t> Manifests::created(const Place& place, const ManifestView& view) {
  std::int64_t known = view.created.load(std::memory_order_relaxed);
  if (known < 0) {
    known = 0;
    const std::string* stated = view.document ? oci::find_annotation(view.document->annotations(),
                                                                     oci::annotation::kCreated)
                                              : nullptr;
    if (stated != nullptr) {
      known = date_in(*stated);
    } else if (const oci::Manifest* manifest = view.manifest()) {
      known = created_in_config(place, manifest->config);
    }
    view.created.store(known, std::memory_order_relaxed);
  }
  if (known <= 0) return std::nullopt;
  return known;
}

/// -1 while the config is not at hand: its bytes are worth no request of their own here.
std::int64_t Manifests::created_in_config(const Place& place, const oci::Descriptor& config) {
  if (config.media_type != oci::media::kImageConfig &&
      config.media_type != oci::media::kDockerConfig) {
    return 0;
  }
  const auto source = asking_.source(place.registry);
  if (!source) return -1;
  const auto text = asking_.sources().small_blob(
      *source, place.repository, config.digest, config.size, kConfigLimit, Context().nonblocking());
  if (!text) return text.error().code() == Errc::too_large ? 0 : -1;
  const auto document = json::Document::parse(*text);
  if (!document) return 0;
  const auto created = document->root().string_or_empty("created");
  return created ? date_in(*created) : 0;
}

Result<std::vector<oci::Descriptor>> Manifests::referrers(const Place& place, const Digest& digest,
                                                          const Context& context) {
  const std::string key = place.key() + '\n' + digest.text();
  std::optional<Referrers> older;
  {
    const MutexLock lock(mutex_);
    if (const Referrers* found = referrers_.get(key)) older = *found;
  }
  const bool fresh = older && asking_.clock().ticks() < older->fresh_until;
  const std::string what = "referrers of " + place.text() + '@' + digest.text();
  if (fresh) return older->list;
  auto asked = referrers_flight_.run(key, context, [&]() -> Result<Referrers> {
    const std::uint64_t epoch = asking_.epoch();
    auto list = TRY(asking_.ask(place.registry, context, [&](content::Source& source) {
      return source.referrers(place.repository, digest, context);
    }));
    Referrers value{std::move(list), asking_.clock().ticks(), asking_.clock().now()};
    asking_.away().answered(place.registry, what);
    for (const oci::Descriptor& referrer : value.list) {
      holdings_.note_named(place, referrer.digest);
    }
    // Under the lock that refresh() takes: one that comes between would not see it.
    const MutexLock lock(mutex_);
    if (epoch == asking_.epoch()) value.fresh_until += asking_.options().tag_ttl;
    return referrers_.put(key, std::move(value));
  });
  if (asked) return std::move(asked->list);
  if (!older || !Away::is_away(asked.error())) return asked.error();
  asking_.away().failed(place.registry, asked.error());
  asking_.away().served_stale(place.registry, what, older->fetched);
  return std::move(older->list);
}

void Manifests::refresh() {
  const MutexLock lock(mutex_);
  referrers_.for_each(
      [](const std::string&, Referrers& kept) { kept.fresh_until = Clock::SteadyTime{}; });
}

}  // namespace berth::tree
