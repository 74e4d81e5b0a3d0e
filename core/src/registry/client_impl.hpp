// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "berth/registry/client.hpp"

#include "registry/endpoints.hpp"
#include "registry/learned.hpp"
#include "registry/paging.hpp"
#include "registry/turns.hpp"

namespace berth::registry {

/// The inside of a Client, over several .cpp files: lists, manifests, blobs, referrers.
struct Client::Impl {
  Impl(std::string name, std::vector<Endpoint> all)
      : endpoints(std::move(name), std::move(all)) {}

  Endpoints endpoints;
  Learned learned;
  Turns turns;  ///< of those who edit one tag's index

  const std::string& name() const noexcept { return endpoints.name(); }
  /// "R/a:v1", "R/a@sha256:...".
  std::string object(const std::string& repository, const std::string& reference) const;

  // lists.cpp
  struct ListPage {
    std::string body;
    std::string next;
  };
  Result<ListPage> list_page(const Call& call, const std::string& from, const Context& context);
  Result<Page> list(const Call& call, const std::string& key,
                    bool (*fits)(std::string_view) noexcept, const std::string& from,
                    const Context& context);

  // manifests.cpp
  /// A reference that was checked: what a path may be built from.
  struct Target {
    std::string repository;
    std::string reference;
    std::optional<Digest> digest;  ///< when the reference is one
  };
  Result<Target> target(const std::string& repository, const std::string& reference) const;
  Endpoints::For purpose(const Target& asked) const noexcept;
  Call manifest_call(const char* method, const Target& asked) const;
  Result<std::optional<ManifestHead>> try_head(const Endpoint& endpoint, const Target& asked,
                                               const Context& context);
  Result<RawManifest> fetch_manifest(const Endpoint& endpoint, const Target& asked,
                                     const Context& context);
  Result<RawManifest> get_raw(const Target& asked, const Context& context);

  // blobs.cpp
  Call blob_call(const char* method, const std::string& repository, const Digest& digest) const;
  Result<BlobHead> head_blob(const Endpoint& endpoint, const std::string& repository,
                             const Digest& digest, const Context& context);
  Result<BlobHead> probe_blob(const Endpoint& endpoint, const std::string& repository,
                              const Digest& digest, const Context& context);
  Result<BlobStream> open_blob(const Endpoint& endpoint, const std::string& repository,
                               const Digest& digest, std::uint64_t offset,
                               std::optional<std::uint64_t> length, const Context& context);

  // referrers.cpp
  Result<std::optional<std::vector<oci::Descriptor>>> referrers_by_api(
      const std::string& repository, const Digest& digest, const std::string& artifact_type,
      const Context& context);
  Result<std::vector<oci::Descriptor>> referrers_by_tag(const std::string& repository,
                                                        const Digest& digest,
                                                        const std::string& artifact_type,
                                                        const Context& context);

  // referrers_tag.cpp
  /// Changes the index under the subject's fallback tag; `edit` gives false when there is nothing
  /// to change.
  using Edit = std::function<bool(std::vector<oci::Descriptor>&)>;
  Result<void> edit_referrers_tag(const std::string& repository, const Digest& subject,
                                  const Edit& edit, const Context& context);
  Result<void> add_referrer(const std::string& repository, const oci::ManifestDocument& document,
                            const Context& context);
  Result<void> drop_referrer(const std::string& repository, const oci::ManifestDocument& document,
                             const Context& context);

  // writes.cpp
  Result<http::Response> put_text(const Target& asked, const std::string& text,
                                  const std::string& media_type, const Context& context);
  Result<void> remove(const std::string& repository, const std::string& path,
                      const std::string& operation, const Context& context);

  // uploads.cpp
  Result<Uploaded> push(const std::string& repository, BlobSource& source,
                        const UploadOptions& options, const Context& context);
  /// 0 where neither the source nor the registry tells it.
  std::uint64_t size_of_mounted(const std::string& repository, const BlobSource& source,
                                const UploadOptions& options, const Context& context);
};

/// The tags of distribution-spec 1.1, "Unavailable Referrers API", under which the referrers of a
/// digest are kept: the first is the specification's, the others those of older clients.
std::vector<std::string> fallback_tags(const Digest& digest);
/// Docker-Content-Digest; nullopt when absent or of no use.
std::optional<Digest> stated_digest(const http::Response& response);

/// Errc::invalid_argument unless it has the grammar of a repository name.
Result<void> check_repository(const std::string& repository);

}  // namespace berth::registry
