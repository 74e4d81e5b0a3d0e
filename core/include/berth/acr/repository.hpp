// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "berth/acr/artifact.hpp"
#include "berth/acr/deleted.hpp"
#include "berth/acr/models.hpp"
#include "berth/acr/options.hpp"
#include "berth/acr/paging.hpp"

namespace berth::acr {

class Core;

/// A repository: ContainerRepository of the official SDKs. A value that shares its client's
/// connections; thread safe; errors as in client.hpp.
class ContainerRepository {
 public:
  const std::string& registry_endpoint() const noexcept;
  const std::string& name() const noexcept { return name_; }

  /// No network. Errc::invalid_argument for what is neither a tag nor a digest.
  Result<RegistryArtifact> artifact(const std::string& tag_or_digest) const;

  /// GET /acr/v1/{name}.
  Result<ContainerRepositoryProperties> get_properties(const Context& context,
                                                       const OperationOptions& options = {}) const;
  /// PATCH /acr/v1/{name}: gives all of them as they are now.
  Result<ContainerRepositoryProperties> update_properties(
      const ChangeableProperties& changes, const Context& context,
      const OperationOptions& options = {}) const;
  Result<bool> exists(const Context& context, const OperationOptions& options = {}) const;
  /// ContainerRepository.delete of the SDK.
  Result<DeletedRepository> remove(const Context& context, const DeleteOptions& options = {}) const;

  /// GET /acr/v1/{name}/_manifests. No related artifacts: a list does not state them.
  Paged<ArtifactManifestProperties> list_manifest_properties(
      const Context& context, const ListManifestsOptions& options = {}) const;
  /// GET /acr/v1/{name}/_tags: all of the repository's.
  Paged<ArtifactTagProperties> list_tag_properties(const Context& context,
                                                   const ListTagsOptions& options = {}) const;

  /// Soft-deleted content (deleted.hpp).
  Paged<DeletedManifest> list_deleted_manifests(const Context& context,
                                                const ListOptions& options = {}) const;
  Paged<DeletedTag> list_deleted_tags(const Context& context,
                                      const ListOptions& options = {}) const;
  /// Gives a deleted manifest back, with a tag where `restore.tag` is set.
  Result<void> restore_manifest(const Digest& digest, const RestoreOptions& restore,
                                const Context& context) const;
  /// Gives a tag back, leading to what it led to when it was last deleted; that digest.
  Result<Digest> restore_tag(const std::string& tag, const RestoreOptions& restore,
                             const Context& context) const;

 private:
  friend class ContainerRegistryClient;
  ContainerRepository(std::shared_ptr<Core> core, std::string name)
      : core_(std::move(core)),
        name_(std::move(name)) {}
  std::shared_ptr<Core> core_;
  std::string name_;
};

}  // namespace berth::acr
