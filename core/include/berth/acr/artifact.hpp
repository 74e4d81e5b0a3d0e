// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "berth/acr/models.hpp"
#include "berth/acr/options.hpp"
#include "berth/acr/paging.hpp"
#include "berth/digest/digest.hpp"

namespace berth::acr {

class Core;

/// A manifest of a repository, named by a tag or a digest: RegistryArtifact of the official SDKs.
/// Named by a tag, it stands for the manifest that the tag led to when a call first needed to know:
/// from then on it and its copies mean that one, also when the tag moves. A value that shares its
/// client's connections; thread safe; errors as in client.hpp.
class RegistryArtifact {
 public:
  const std::string& registry_endpoint() const noexcept;
  const std::string& repository_name() const noexcept;
  /// "myregistry.azurecr.io:443/library/a@sha256:...", or ":tag"; with the port where it is not the
  /// scheme's own, which the SDKs drop.
  const std::string& fully_qualified_reference() const noexcept;

  /// The manifest's digest: asked for once where a tag was given.
  Result<Digest> digest(const Context& context, const OperationOptions& options = {}) const;
  Result<bool> exists(const Context& context, const OperationOptions& options = {}) const;

  /// GET /acr/v1/{name}/_manifests/{digest}.
  Result<ArtifactManifestProperties> get_manifest_properties(
      const Context& context, const OperationOptions& options = {}) const;
  Result<ArtifactManifestProperties> update_manifest_properties(
      const ChangeableProperties& changes, const Context& context,
      const OperationOptions& options = {}) const;

  /// GET /acr/v1/{name}/_tags/{tag}, of any tag of the repository.
  Result<ArtifactTagProperties> get_tag_properties(const std::string& tag, const Context& context,
                                                   const OperationOptions& options = {}) const;
  Result<ArtifactTagProperties> update_tag_properties(const std::string& tag,
                                                      const ChangeableProperties& changes,
                                                      const Context& context,
                                                      const OperationOptions& options = {}) const;
  /// The tags that lead to this artifact. (The SDKs' method of this name lists every tag of the
  /// repository: ContainerRepository::list_tag_properties here.) `verify_count` does not apply.
  Paged<ArtifactTagProperties> list_tag_properties(const Context& context,
                                                   const ListTagsOptions& options = {}) const;

  /// Gives the manifest another tag, or moves that one to it, without a pull of what it names: its
  /// text is read and put again. Gives its digest. What the SDKs need getManifest and setManifest
  /// for. Any registry.
  Result<Digest> tag(const std::string& new_tag, const Context& context,
                     const OperationOptions& options = {}) const;
  /// Takes a tag away; the manifest stays.
  Result<void> delete_tag(const std::string& tag, const Context& context,
                          const DeleteOptions& options = {}) const;
  /// Deletes the manifest with all its tags: RegistryArtifact.delete of the SDK.
  Result<void> remove(const Context& context, const DeleteOptions& options = {}) const;

 private:
  friend class ContainerRegistryClient;
  friend class ContainerRepository;
  struct State;
  explicit RegistryArtifact(std::shared_ptr<State> state)
      : state_(std::move(state)) {}
  static Result<RegistryArtifact> make(std::shared_ptr<Core> core, std::string repository,
                                       const std::string& tag_or_digest);
  std::shared_ptr<State> state_;
};

}  // namespace berth::acr
