// SPDX-License-Identifier: Apache-2.0
// The one file of the tree that names the hub: tests of everything else link without it.
#include "berth/tree/tree.hpp"

#include "tree/sources.hpp"

namespace berth::tree {
namespace {

class HubSources final : public Sources {
 public:
  explicit HubSources(content::Hub& hub)
      : hub_(hub) {}

  Result<std::shared_ptr<content::Source>> source(const std::string& registry) override {
    return hub_.source(registry);
  }
  std::vector<std::string> known_registries() override { return hub_.known_registries(); }
  cache::Remembered& remembered() override { return hub_.cache().remembered(); }
  bool offline() const override { return hub_.store().options().offline; }

  Result<oci::ManifestDocument> manifest(const std::shared_ptr<content::Source>& source,
                                         const std::string& repository, const Digest& digest,
                                         const Context& context) override {
    if (context.is_nonblocking() && !at_hand(*source, repository, digest)) return would_block();
    return hub_.store().manifest(source, repository, digest, context);
  }
  Result<registry::Client::RawManifest> raw_manifest(const std::shared_ptr<content::Source>& source,
                                                     const std::string& repository,
                                                     const Digest& digest,
                                                     const Context& context) override {
    if (context.is_nonblocking() && !at_hand(*source, repository, digest)) return would_block();
    return hub_.store().raw_manifest(source, repository, digest, context);
  }
  Result<std::shared_ptr<content::BlobReader>> open_blob(
      const std::shared_ptr<content::Source>& source, const std::string& repository,
      const Digest& digest, std::uint64_t size, const Context& context) override {
    // Opening fetches nothing, but may have to ask whether the repository holds the blob.
    if (context.is_nonblocking() && !source->local_file(digest) &&
        !remembered().seen(source->name(), repository, digest)) {
      return would_block();
    }
    return hub_.store().open_blob(source, repository, digest, size, context);
  }
  Result<std::string> small_blob(const std::shared_ptr<content::Source>& source,
                                 const std::string& repository, const Digest& digest,
                                 std::uint64_t size, std::size_t limit,
                                 const Context& context) override {
    if (context.is_nonblocking() && !at_hand(*source, repository, digest)) return would_block();
    return hub_.store().small_blob(source, repository, digest, size, limit, context);
  }

  std::vector<std::pair<std::string, std::uint64_t>> counters() const override {
    const http::Counters requests = hub_.requests();
    const content::StoreCounters store = hub_.store().counters();
    std::vector<std::pair<std::string, std::uint64_t>> all{
        {"http_requests_total", requests.requests},
        {"http_retries_total", requests.retries},
        {"http_errors_total", requests.errors},
        {"cache_hits_total", store.cache_hits},
        {"cache_misses_total", store.cache_misses},
        {"fetched_bytes_total", store.bytes_fetched},
        {"from_cache_bytes_total", store.bytes_from_cache},
        {"digest_mismatches_total", store.digest_mismatches},
        {"cache_bypassed_total", store.bypassed}};
    if (const auto status = hub_.cache().status()) {
      all.emplace_back("cache_used_bytes", status->used);
      all.emplace_back("cache_limit_bytes", status->limit);
      all.emplace_back("cache_blobs", status->blobs);
      all.emplace_back("cache_partial_blobs", status->partial);
    }
    return all;
  }

 private:
  /// Can it be read now, without a question to the registry?
  bool at_hand(const content::Source& source, const std::string& repository, const Digest& digest) {
    if (source.local_file(digest)) return true;
    return hub_.cache().contains(digest) &&
           remembered().seen(source.name(), repository, digest).has_value();
  }
  static Error would_block() { return {Errc::would_block, "the answer needs the network"}; }

  content::Hub& hub_;
};

}  // namespace

Tree::Tree(content::Hub& hub, Options options)
    : Tree(std::make_unique<HubSources>(hub), std::move(options)) {}

}  // namespace berth::tree
