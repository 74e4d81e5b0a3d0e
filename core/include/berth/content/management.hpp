// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "berth/acr/client.hpp"
#include "berth/acr/purge.hpp"

namespace berth::content {

/// What a registry tells of its content and lets be changed beside it: the capability `properties`
/// of a Source. Times, locks, soft delete and purge, in the words of berth::acr. Blocking, thread
/// safe; errors as those of acr::ContainerRegistryClient, `unsupported` where the registry turns
/// out not to have it.
class Management {
 public:
  virtual ~Management() = default;
  /// Is the registry taken for one that has this? It may turn out late that it is, or is not.
  virtual bool offered() const noexcept = 0;

  virtual Result<acr::ContainerRepositoryProperties> repository(const std::string& repository,
                                                                const Context& context) = 0;
  virtual Result<acr::ArtifactTagProperties> tag(const std::string& repository,
                                                 const std::string& tag,
                                                 const Context& context) = 0;
  virtual Result<acr::ArtifactManifestProperties> manifest(const std::string& repository,
                                                           const Digest& digest,
                                                           const Context& context) = 0;
  /// Changes what has a value; gives all of them as they are now.
  virtual Result<acr::ContainerRepositoryProperties> update_repository(
      const std::string& repository, const acr::ChangeableProperties& changes,
      const Context& context) = 0;
  virtual Result<acr::ArtifactTagProperties> update_tag(const std::string& repository,
                                                        const std::string& tag,
                                                        const acr::ChangeableProperties& changes,
                                                        const Context& context) = 0;
  virtual Result<acr::ArtifactManifestProperties> update_manifest(
      const std::string& repository, const Digest& digest, const acr::ChangeableProperties& changes,
      const Context& context) = 0;

  /// The tag alone; the manifest stays.
  virtual Result<void> delete_tag(const std::string& repository, const std::string& tag,
                                  const Context& context) = 0;
  /// With everything in it.
  virtual Result<void> delete_repository(const std::string& repository, const Context& context) = 0;

  /// One page from `from`, "" or the continuation_token of the page before: digests, times and
  /// locks in one request.
  virtual Result<acr::Page<acr::ArtifactTagProperties>> list_tags(const std::string& repository,
                                                                  const std::string& from,
                                                                  const Context& context) = 0;
  virtual Result<acr::Page<acr::ArtifactManifestProperties>> list_manifests(
      const std::string& repository, const std::string& from, const Context& context) = 0;

  /// Whole lists of what was deleted and can be had back.
  virtual Result<std::vector<std::string>> deleted_repositories(const Context& context) = 0;
  virtual Result<std::vector<acr::DeletedManifest>> deleted_manifests(const std::string& repository,
                                                                      const Context& context) = 0;
  virtual Result<std::vector<acr::DeletedTag>> deleted_tags(const std::string& repository,
                                                            const Context& context) = 0;
  /// `tag` "": the manifest alone. `force`: also where the tag leads elsewhere by now.
  virtual Result<void> restore_manifest(const std::string& repository, const Digest& digest,
                                        const std::string& tag, bool force,
                                        const Context& context) = 0;
  /// To what the tag led when it was last deleted; that digest.
  virtual Result<Digest> restore_tag(const std::string& repository, const std::string& tag,
                                     bool force, const Context& context) = 0;

  virtual Result<acr::Purge> purge(acr::PurgeOptions options) = 0;
};

/// By an Azure container registry. `detected`: it is offered from when this becomes true; nullptr:
/// from the start. In both cases until the registry says that it has no such API.
std::shared_ptr<Management> make_acr_management(
    acr::ContainerRegistryClient client, std::shared_ptr<const std::atomic<bool>> detected = {});

}  // namespace berth::content
