// SPDX-License-Identifier: Apache-2.0
#include "berth/acr/repository.hpp"

#include "berth/base/try.hpp"

#include "acr/parse.hpp"
#include "acr/requests.hpp"

namespace berth::acr {

const std::string& ContainerRepository::registry_endpoint() const noexcept {
  return core_->endpoint();
}

Result<RegistryArtifact> ContainerRepository::artifact(const std::string& tag_or_digest) const {
  return RegistryArtifact::make(core_, name_, tag_or_digest);
}

Result<ContainerRepositoryProperties> ContainerRepository::get_properties(
    const Context& context, const OperationOptions& options) const {
  return requests::ask(*core_, requests::repository(*core_, name_), parse_repository, options,
                       context);
}

Result<ContainerRepositoryProperties> ContainerRepository::update_properties(
    const ChangeableProperties& changes, const Context& context,
    const OperationOptions& options) const {
  return requests::ask(*core_, requests::change(requests::repository(*core_, name_), changes),
                       parse_repository, options, context);
}

Result<bool> ContainerRepository::exists(const Context& context,
                                         const OperationOptions& options) const {
  return requests::exists(*core_, requests::repository(*core_, name_), options, context);
}

Result<DeletedRepository> ContainerRepository::remove(const Context& context,
                                                      const DeleteOptions& options) const {
  return requests::remove_repository(*core_, name_, options, context);
}

Paged<ArtifactManifestProperties> ContainerRepository::list_manifest_properties(
    const Context& context, const ListManifestsOptions& options) const {
  return paged<ArtifactManifestProperties>(requests::manifests(core_, name_, options, context),
                                           parse_manifests);
}

Paged<ArtifactTagProperties> ContainerRepository::list_tag_properties(
    const Context& context, const ListTagsOptions& options) const {
  return paged<ArtifactTagProperties>(requests::tags(core_, name_, options, context), parse_tags);
}

}  // namespace berth::acr
