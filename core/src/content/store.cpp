// SPDX-License-Identifier: Apache-2.0
#include "berth/content/store.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "berth/base/log.hpp"
#include "berth/base/single_flight.hpp"
#include "berth/base/try.hpp"
#include "berth/digest/hasher.hpp"

#include "content/core.hpp"
#include "content/fetch_reader.hpp"
#include "content/readers.hpp"

namespace berth::content {
namespace {

/// Manifests whose descriptors were noted in this process; beyond that many the set starts anew.
constexpr std::size_t kNotedManifests = 100'000;

std::string object_name(std::string_view kind, const Source& source, const std::string& repository,
                        const Digest& digest) {
  return repository.empty()
             ? fmt::format("{} {} of {}", kind, digest.text(), source.name())
             : fmt::format("{} {} of {}/{}", kind, digest.text(), source.name(), repository);
}

}  // namespace

struct Store::Impl {
  using RawManifest = registry::Client::RawManifest;

  Impl(cache::Cache& cache, StoreOptions options)
      : core(std::make_shared<Core>(cache, std::move(options))) {}
  ~Impl() { core->shutdown(); }

  Result<RawManifest> raw_manifest(Source& source, const std::string& repository,
                                   const Digest& digest, const Context& context);
  Result<std::optional<RawManifest>> cached_manifest(Source& source, const std::string& repository,
                                                     const Digest& digest, const Context& context);
  Result<RawManifest> fetch_manifest(Source& source, const std::string& repository,
                                     const Digest& digest, const Context& context);
  Result<void> note_descriptors(Source& source, const std::string& repository,
                                const oci::ManifestDocument& document, const Context& context);
  Result<void> check_visible(Source& source, const std::string& repository, const Digest& digest,
                             std::uint64_t size, const Context& context);
  Result<std::shared_ptr<BlobReader>> open_blob(const std::shared_ptr<Source>& source,
                                                const std::string& repository, const Digest& digest,
                                                std::uint64_t size, const Context& context);

  cache::Cache& cache() { return core->cache; }
  cache::Remembered& remembered() { return core->cache.remembered(); }

  const std::shared_ptr<Core> core;
  SingleFlight<RawManifest> manifests;
  Mutex mutex;
  std::set<std::string> noted BERTH_GUARDED_BY(mutex);
};

Result<registry::Client::RawManifest> Store::Impl::raw_manifest(Source& source,
                                                                const std::string& repository,
                                                                const Digest& digest,
                                                                const Context& context) {
  if (source.local_file(digest)) {
    return source.get_manifest(repository, digest.text(), context);
  }
  const std::string key = fmt::format("{} {} {}", source.name(), repository, digest.text());
  return manifests.run_or_look(key, context, [&]() -> Result<RawManifest> {
    if (auto cached = TRY(cached_manifest(source, repository, digest, context))) {
      ++core->counting.cache_hits;
      return *std::move(cached);
    }
    if (core->options.offline) {
      return Error(Errc::unavailable, object_name("manifest", source, repository, digest) +
                                          " is not in the cache, and the network is not asked");
    }
    return fetch_manifest(source, repository, digest, context);
  });
}

// The cache is shared by all repositories: what it holds is shown only where it was seen.
Result<std::optional<registry::Client::RawManifest>> Store::Impl::cached_manifest(
    Source& source, const std::string& repository, const Digest& digest, const Context& context) {
  auto seen = remembered().seen(source.name(), repository, digest);
  if (!seen && (core->options.offline || !cache().contains(digest))) return std::nullopt;
  auto found = cache().get(digest, oci::kManifestLimit, context);
  if (!found && found.error().code() == Errc::would_block) return std::move(found).error();
  TRY(context.check());
  if (!found) {  // the cache is in trouble: the registry may still have it
    log::warning(found.error().describe());
    return std::nullopt;
  }
  auto& bytes = *found;
  if (!bytes) return std::nullopt;
  std::string media_type = seen ? seen->media_type : std::string();
  if (!seen) {
    auto head = TRY(source.head_manifest(repository, digest.text(), context));
    remembered().set_seen(source.name(), repository, digest, bytes->size(), head.media_type);
    media_type = std::move(head.media_type);
  }
  return RawManifest{*std::move(bytes), std::move(media_type), digest};
}

Result<registry::Client::RawManifest> Store::Impl::fetch_manifest(Source& source,
                                                                  const std::string& repository,
                                                                  const Digest& digest,
                                                                  const Context& context) {
  ++core->counting.cache_misses;
  RawManifest raw = TRY(source.get_manifest(repository, digest.text(), context));
  core->counting.bytes_fetched += raw.raw.size();
  if (auto right = verify(as_bytes(raw.raw), digest); !right) {
    ++core->counting.digest_mismatches;
    return std::move(right).error().with_context(
        object_name("manifest", source, repository, digest));
  }
  raw.digest = digest;
  // A cache that cannot take it costs the next request, and nothing else.
  if (auto kept = cache().put(digest, as_bytes(raw.raw)); !kept) {
    log::warning(fmt::format("{} is not kept: {}",
                             object_name("manifest", source, repository, digest),
                             kept.error().message()));
  }
  remembered().set_seen(source.name(), repository, digest, raw.raw.size(), raw.media_type);
  return raw;
}

// A registry takes a manifest only when it has what that names, but for its subject, which may come
// later or never, and for layers that lie elsewhere.
Result<void> Store::Impl::note_descriptors(Source& source, const std::string& repository,
                                           const oci::ManifestDocument& document,
                                           const Context& context) {
  if (source.local_file(document.digest)) return {};
  const std::string key =
      fmt::format("{} {} {}", source.name(), repository, document.digest.text());
  {
    MutexLock lock(mutex);
    if (noted.contains(key)) return {};
  }
  std::vector<const oci::Descriptor*> fresh;
  const auto look = [&](const oci::Descriptor& descriptor) {
    if (!descriptor.urls.empty()) return;
    if (!remembered().seen(source.name(), repository, descriptor.digest)) {
      fresh.push_back(&descriptor);
    }
  };
  if (const oci::Manifest* manifest = document.manifest()) {
    look(manifest->config);
    std::ranges::for_each(manifest->layers, look);
  } else if (const oci::Index* index = document.index()) {
    std::ranges::for_each(index->manifests, look);
  }
  // Writing may have to evict, and wait for who counts the folder.
  if (!fresh.empty() && context.is_nonblocking()) {
    return Error(Errc::would_block, "what the manifest names is to be written down");
  }
  for (const oci::Descriptor* descriptor : fresh) {
    remembered().set_seen(source.name(), repository, descriptor->digest, descriptor->size,
                          descriptor->media_type);
  }
  MutexLock lock(mutex);
  if (noted.size() >= kNotedManifests) noted.clear();
  noted.insert(key);
  return {};
}

Result<void> Store::Impl::check_visible(Source& source, const std::string& repository,
                                        const Digest& digest, std::uint64_t size,
                                        const Context& context) {
  if (remembered().seen(source.name(), repository, digest)) return {};
  if (core->options.offline) {
    return Error(Errc::unavailable, object_name("blob", source, repository, digest) +
                                        " was not seen there before, and the network is not asked");
  }
  const auto head = TRY(source.head_blob(repository, digest, context));
  if (head.size != 0 && head.size != size) {
    return Error(Errc::digest_mismatch,
                 fmt::format("{}: its descriptor promises {} bytes, the registry has {}",
                             object_name("blob", source, repository, digest), size, head.size));
  }
  remembered().set_seen(source.name(), repository, digest, size, "");
  return {};
}

Result<std::shared_ptr<BlobReader>> Store::Impl::open_blob(const std::shared_ptr<Source>& source,
                                                           const std::string& repository,
                                                           const Digest& digest, std::uint64_t size,
                                                           const Context& context) {
  const std::string name = object_name("blob", *source, repository, digest);
  if (!digest.is_verifiable()) {
    return Error(Errc::unsupported, name + ": berth cannot compute digests of this algorithm");
  }
  if (auto file = source->local_file(digest)) {
    return open_local_reader(core, *file, name, digest, size);
  }
  TRY(check_visible(*source, repository, digest, size, context));
  if (size == 0) {
    if (auto right = verify({}, digest); !right) return std::move(right).error().with_context(name);
    return make_empty_reader();
  }
  auto found = core->cache.find(digest, context);
  if (!found && found.error().code() == Errc::would_block) return std::move(found).error();
  TRY(context.check());
  if (!found) log::warning(fmt::format("{}: {}", name, found.error().message()));
  if (found && *found) {
    if ((*found)->size != size) {
      return Error(Errc::digest_mismatch,
                   fmt::format("{}: its descriptor promises {} bytes, the blob has {}", name, size,
                               (*found)->size));
    }
    ++core->counting.cache_hits;
    return make_cached_reader(core, std::move(**found));
  }
  if (core->options.offline) {
    return Error(Errc::unavailable, name + " is not in the cache, and the network is not asked");
  }
  ++core->counting.cache_misses;
  auto fetch = TRY(core->fetch(core, digest, size));
  return std::make_shared<FetchReader>(core, std::move(fetch), Origin{source, repository});
}

Store::Store(cache::Cache& cache, StoreOptions options)
    : impl_(std::make_unique<Impl>(cache, std::move(options))) {}

Store::~Store() = default;

Result<registry::Client::RawManifest> Store::raw_manifest(const std::shared_ptr<Source>& source,
                                                          const std::string& repository,
                                                          const Digest& digest,
                                                          const Context& context) {
  return impl_->raw_manifest(*source, repository, digest, context);
}

Result<oci::ManifestDocument> Store::manifest(const std::shared_ptr<Source>& source,
                                              const std::string& repository, const Digest& digest,
                                              const Context& context) {
  auto raw = TRY(impl_->raw_manifest(*source, repository, digest, context));
  auto parsed = oci::parse_manifest(std::move(raw.raw), raw.media_type, digest);
  if (!parsed) {
    return std::move(parsed).error().with_context(
        object_name("manifest", *source, repository, digest));
  }
  if (const oci::Manifest* image = parsed->manifest()) impl_->core->note_config(image->config);
  TRY(impl_->note_descriptors(*source, repository, *parsed, context));
  return *std::move(parsed);
}

Result<std::shared_ptr<BlobReader>> Store::open_blob(const std::shared_ptr<Source>& source,
                                                     const std::string& repository,
                                                     const Digest& digest, std::uint64_t size,
                                                     const Context& context) {
  return impl_->open_blob(source, repository, digest, size, context);
}

Result<std::string> Store::small_blob(const std::shared_ptr<Source>& source,
                                      const std::string& repository, const Digest& digest,
                                      std::uint64_t size, std::size_t limit,
                                      const Context& context) {
  if (size > limit) {
    return Error(Errc::too_large,
                 fmt::format("{} has {} bytes, the limit here is {}",
                             object_name("blob", *source, repository, digest), size, limit));
  }
  auto reader = TRY(open_blob(source, repository, digest, size, context));
  std::string bytes(size, '\0');
  TRY(reader->read(0, std::as_writable_bytes(std::span(bytes)), context));
  return bytes;
}

void Store::note_change(const std::string& registry, const std::string& repository) {
  cache::Remembered& remembered = cache().remembered();
  remembered.distrust(registry, repository);
  const auto list = remembered.list(registry, "");
  if (list && std::ranges::find(list->names, repository) == list->names.end()) {
    remembered.distrust(registry, "");
  }
}

StoreCounters Store::counters() const {
  const Counting& counting = impl_->core->counting;
  return {.cache_hits = counting.cache_hits,
          .cache_misses = counting.cache_misses,
          .bytes_fetched = counting.bytes_fetched,
          .bytes_from_cache = counting.bytes_from_cache,
          .digest_mismatches = counting.digest_mismatches,
          .bypassed = counting.bypassed};
}

cache::Cache& Store::cache() noexcept { return impl_->core->cache; }

const StoreOptions& Store::options() const noexcept { return impl_->core->options; }

}  // namespace berth::content
