// SPDX-License-Identifier: Apache-2.0
#include "tree/holdings.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "berth/oci/media_type.hpp"

#include "tree/properties.hpp"

namespace berth::tree {
namespace {

/// Repositories, and digests of one of them, whose holdings are kept in memory: about 250 bytes a
/// digest. What is dropped is found again on disk or by HEAD; only listings get shorter.
constexpr std::size_t kRepositories = 256;
constexpr std::size_t kDigests = 50'000;
constexpr std::size_t kAbsent = 10'000;

/// What is known of one digest from two sides. A list of tags tells neither type nor size; what was
/// told of times counts more than when it was seen, and of what was seen the older one is true.
void merge(Held& known, Held more) {
  if (known.media_type.empty()) {
    known.size = more.size;
    known.media_type = std::move(more.media_type);
  }
  if (more.time < known.time) return;
  if (more.time == Held::Time::seen) more.first_seen = std::min(more.first_seen, known.first_seen);
  known.first_seen = more.first_seen;
  known.time = more.time;
}

std::int64_t seconds(Clock::SystemTime time) { return std::chrono::system_clock::to_time_t(time); }

/// Types that registries serve as manifests; of types that berth does not know too, as far as their
/// names tell. A blob that was only seen by HEAD has no type.
bool is_manifest_type(std::string_view type) {
  return oci::is_manifest(type) || oci::is_index(type) || oci::is_schema1(type) ||
         type.find(".manifest.") != std::string_view::npos;
}

}  // namespace

Holdings::Holdings(Asking& asking)
    : asking_(asking),
      repositories_(kRepositories, kRepositories),
      absent_(kAbsent, kAbsent) {}

std::shared_ptr<Holdings::Repository> Holdings::repository(const Place& place) {
  const std::string key = place.key();
  if (auto* found = repositories_.get(key)) return *found;
  return repositories_.put(key, std::make_shared<Repository>());
}

void Holdings::add(Digests& digests, const Digest& digest, std::optional<Held> held) {
  const auto found = digests.find(digest);
  if (found == digests.end()) {
    if (digests.size() < kDigests) digests.emplace(digest, std::move(held));
  } else if (held && found->second) {
    merge(*found->second, *std::move(held));
  } else if (held) {
    found->second = std::move(held);
  }
}

void Holdings::note_manifest(const Place& place, const Digest& digest, const Held& held) {
  Held noted = held;
  if (noted.first_seen == 0) noted.first_seen = seconds(asking_.clock().now());
  const MutexLock lock(mutex_);
  absent_.erase("m" + place.key() + digest.text());
  add(repository(place)->manifests, digest, std::move(noted));
}

void Holdings::note_named(const Place& place, const Digest& manifest) {
  const MutexLock lock(mutex_);
  add(repository(place)->manifests, manifest, std::nullopt);
}

void Holdings::note_document(const Place& place, const oci::ManifestDocument& document) {
  const std::int64_t now = seconds(asking_.clock().now());
  const MutexLock lock(mutex_);
  const auto here = repository(place);
  add(here->manifests, document.digest, Held{document.raw.size(), document.media_type, now});
  if (const oci::Index* index = document.index()) {
    for (const oci::Descriptor& child : index->manifests) {
      add(here->manifests, child.digest, std::nullopt);
    }
    return;
  }
  const oci::Manifest& manifest = *document.manifest();
  add(here->blobs, manifest.config.digest,
      Held{manifest.config.size, manifest.config.media_type, now});
  for (const oci::Descriptor& layer : manifest.layers) {
    add(here->blobs, layer.digest, Held{layer.size, layer.media_type, now});
  }
}

std::optional<Held> Holdings::in_memory(const Place& place, const Digest& digest, bool manifest) {
  const MutexLock lock(mutex_);
  const auto here = repository(place);
  const Digests& digests = manifest ? here->manifests : here->blobs;
  const auto found = digests.find(digest);
  return found == digests.end() ? std::nullopt : found->second;
}

std::optional<Held> Holdings::manifest(const Place& place, const Digest& digest) {
  if (auto found = in_memory(place, digest, true)) return found;
  const auto seen = asking_.remembered().seen(place.registry, place.repository, digest);
  if (!seen || !is_manifest_type(seen->media_type)) return std::nullopt;
  Held held{seen->size, seen->media_type, seconds(seen->first_seen)};
  note_manifest(place, digest, held);
  return held;
}

std::optional<Held> Holdings::blob(const Place& place, const Digest& digest) {
  auto found = in_memory(place, digest, false);
  const auto seen = asking_.remembered().seen(place.registry, place.repository, digest);
  if (found) {
    // Named by a manifest just read, but perhaps seen long before: the older time is the true one.
    if (seen) found->first_seen = std::min(found->first_seen, seconds(seen->first_seen));
    return found;
  }
  if (!seen || is_manifest_type(seen->media_type)) return std::nullopt;
  return Held{seen->size, seen->media_type, seconds(seen->first_seen)};
}

bool Holdings::is_absent(const std::string& key) {
  const MutexLock lock(mutex_);
  const Clock::SteadyTime* until = absent_.get(key);
  return until != nullptr && asking_.clock().ticks() < *until;
}

template <class Head>
Result<Held> Holdings::find(const Place& place, const Digest& digest, bool manifest,
                            const Context& context, Head&& head) {
  const auto known = [&] { return manifest ? this->manifest(place, digest) : blob(place, digest); };
  if (auto held = known()) return *held;
  const std::string key = (manifest ? "m" : "b") + place.key() + digest.text();
  const Error absent(Errc::not_found, fmt::format("{} holds no {} {}", place.text(),
                                                  manifest ? "manifest" : "blob", digest.text()));
  if (is_absent(key)) return absent;
  return flight_.run(key, context, [&]() -> Result<Held> {
    if (auto held = known()) return *held;
    Result<Held> found = asking_.ask(place.registry, context, head);
    if (found) {
      asking_.remembered().set_seen(place.registry, place.repository, digest, found->size,
                                    found->media_type);
      found->first_seen = seconds(asking_.clock().now());
    } else if (found.error().code() == Errc::not_found) {
      const MutexLock lock(mutex_);
      absent_.put(key, asking_.clock().ticks() + asking_.options().negative_ttl);
      // With what the registry said, by which whoever runs it finds the request.
      const HttpInfo* info = found.error().http();
      return info != nullptr ? Error(absent).with_http(*info) : absent;
    }
    return found;
  });
}

Result<Held> Holdings::find_manifest(const Place& place, const Digest& digest,
                                     const Context& context) {
  auto found = find(place, digest, true, context, [&](content::Source& source) -> Result<Held> {
    auto head = source.head_manifest(place.repository, digest.text(), context);
    if (!head) return head.error();
    return Held{head->size, head->media_type, 0};
  });
  if (found) note_manifest(place, digest, *found);
  return found;
}

Result<Held> Holdings::find_blob(const Place& place, const Digest& digest, const Context& context) {
  auto found = find(place, digest, false, context, [&](content::Source& source) -> Result<Held> {
    auto head = source.head_blob(place.repository, digest, context);
    if (!head) return head.error();
    return Held{head->size, "", 0};
  });
  if (found) {
    const MutexLock lock(mutex_);
    add(repository(place)->blobs, digest, *found);
  }
  return found;
}

std::vector<Digest> Holdings::manifests(const Place& place) {
  const auto remembered = asking_.remembered().tags(place.registry, place.repository);
  const MutexLock lock(mutex_);
  const auto here = repository(place);
  for (const auto& [tag, value] : remembered) {
    Held held{value.size, value.media_type, seconds(value.first_seen)};
    if (value.properties) {
      held.first_seen = updated_seconds(*value.properties);
      held.time = Held::Time::of_tag;
    }
    add(here->manifests, value.digest, std::move(held));
  }
  std::vector<Digest> digests;
  for (const auto& [digest, held] : here->manifests) digests.push_back(digest);
  return digests;
}

std::vector<Digest> Holdings::blobs(const Place& place) {
  const MutexLock lock(mutex_);
  const auto here = repository(place);
  std::vector<Digest> digests;
  for (const auto& [digest, held] : here->blobs) digests.push_back(digest);
  return digests;
}

void Holdings::refresh() {
  const MutexLock lock(mutex_);
  absent_ = Lru<Clock::SteadyTime>(kAbsent, kAbsent);
}

}  // namespace berth::tree
