// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "berth/content/changes.hpp"
#include "berth/content/management.hpp"
#include "berth/registry/client.hpp"

namespace berth::content {

/// What a source can do. The tree asks these, never the kind of registry.
struct Capabilities {
  bool list_repositories = true;
  bool referrers = true;
  bool properties = false;  ///< ACR: management() is there
  bool delete_tag = false;
  bool tag_list_has_digests = false;  ///< ACR: no HEAD per tag
};

/// A manifest that index.json of a layout names, and the tag that leads to it ("" for none).
struct Indexed {
  oci::Descriptor descriptor;
  std::string tag;
};

/// One interface over a registry, ACR and an OCI layout. Blocking, thread safe. Errors as
/// registry::Client's.
class Source {
 public:
  virtual ~Source() = default;
  /// "myregistry.azurecr.io", "localhost:5000", "oci:/path": the key of what is remembered, and the
  /// name in messages.
  virtual const std::string& name() const noexcept = 0;
  virtual Capabilities capabilities() const = 0;

  virtual Result<registry::Page> list_repositories(const std::string& from,
                                                   const Context& context) = 0;
  virtual Result<registry::Page> list_tags(const std::string& repository, const std::string& from,
                                           const Context& context) = 0;
  virtual Result<registry::ManifestHead> head_manifest(const std::string& repository,
                                                       const std::string& reference,
                                                       const Context& context) = 0;
  virtual Result<registry::Client::RawManifest> get_manifest(const std::string& repository,
                                                             const std::string& reference,
                                                             const Context& context) = 0;
  virtual Result<registry::BlobHead> head_blob(const std::string& repository, const Digest& digest,
                                               const Context& context) = 0;
  virtual Result<registry::BlobStream> get_blob(const std::string& repository, const Digest& digest,
                                                std::uint64_t offset,
                                                std::optional<std::uint64_t> length,
                                                const Context& context) = 0;
  virtual Result<std::vector<oci::Descriptor>> referrers(const std::string& repository,
                                                         const Digest& digest,
                                                         const Context& context) = 0;
  /// A local file that holds the blob (OCI layouts): read in place, verified there, never copied
  /// into the cache. nullopt for registries.
  virtual std::optional<std::filesystem::path> local_file(const Digest& digest) const = 0;
  /// What the layout's index.json names, in its order; nothing for registries.
  virtual Result<std::vector<Indexed>> indexed() { return std::vector<Indexed>(); }
  /// What can be changed; unsupported where nothing can, with what to do instead. Lives as long as
  /// the source. May ask the registry how to speak to it.
  virtual Result<Changes*> changes(const Context& context);
  /// The capability `properties`; nullptr where there is none. Lives as long as the source.
  virtual Management* management() const noexcept { return nullptr; }
};

/// Where management() is nullptr: names the capability, and says what to do.
Error no_properties(const Source& source);

/// A registry. `management`: where it has that, or may have.
std::shared_ptr<Source> make_registry_source(std::shared_ptr<registry::Client> client,
                                             std::shared_ptr<Management> management = nullptr);
/// The registry of a client of the library, over its connections and tokens, which the source keeps
/// alive. It is taken for an Azure container registry until it says that it has no such API.
std::shared_ptr<Source> make_registry_source(const acr::ContainerRegistryClient& client);

/// A folder that is an OCI image layout: one repository, named "". Tags are the ref.name
/// annotations of index.json; of full names ("docker.io/library/hello:v1") their tag, where no two
/// manifests have the same. index.json is read again when it changed. Errc::not_found, corrupt.
Result<std::shared_ptr<Source>> open_layout(const std::filesystem::path& folder);

/// "2 manifests have no tag: PLACE@sha256:..." of the manifests in a layout's index.json that
/// no tag leads to, not by an index either, and that refer to no other one; "" where there are
/// none, or none can be read. `place`: how the layout is written on the command line.
std::string describe_untagged(Source& layout, std::string_view place, const Context& context);

}  // namespace berth::content
