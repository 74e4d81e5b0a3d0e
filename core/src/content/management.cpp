// SPDX-License-Identifier: Apache-2.0
#include "berth/content/management.hpp"

#include <utility>

#include "berth/base/try.hpp"

namespace berth::content {
namespace {

template <class T>
Result<acr::Page<T>> first_page(const acr::Paged<T>& list) {
  auto pages = list.by_page();
  auto page = pages.begin();
  if (page == pages.end()) return acr::Page<T>{};
  return std::move(*page);
}

class AcrManagement final : public Management {
 public:
  AcrManagement(acr::ContainerRegistryClient client,
                std::shared_ptr<const std::atomic<bool>> detected)
      : client_(std::move(client)),
        detected_(std::move(detected)) {}

  bool offered() const noexcept override {
    return !refused_ && (detected_ == nullptr || *detected_);
  }

  Result<acr::ContainerRepositoryProperties> repository(const std::string& repository,
                                                        const Context& context) override {
    const auto named = TRY(client_.repository(repository));
    return noted(named.get_properties(context));
  }
  Result<acr::ArtifactTagProperties> tag(const std::string& repository, const std::string& tag,
                                         const Context& context) override {
    const auto named = TRY(client_.artifact(repository, tag));
    return noted(named.get_tag_properties(tag, context));
  }
  Result<acr::ArtifactManifestProperties> manifest(const std::string& repository,
                                                   const Digest& digest,
                                                   const Context& context) override {
    const auto named = TRY(client_.artifact(repository, digest.text()));
    return noted(named.get_manifest_properties(context));
  }
  Result<acr::ContainerRepositoryProperties> update_repository(
      const std::string& repository, const acr::ChangeableProperties& changes,
      const Context& context) override {
    const auto named = TRY(client_.repository(repository));
    return noted(named.update_properties(changes, context));
  }
  Result<acr::ArtifactTagProperties> update_tag(const std::string& repository,
                                                const std::string& tag,
                                                const acr::ChangeableProperties& changes,
                                                const Context& context) override {
    const auto named = TRY(client_.artifact(repository, tag));
    return noted(named.update_tag_properties(tag, changes, context));
  }
  Result<acr::ArtifactManifestProperties> update_manifest(const std::string& repository,
                                                          const Digest& digest,
                                                          const acr::ChangeableProperties& changes,
                                                          const Context& context) override {
    const auto named = TRY(client_.artifact(repository, digest.text()));
    return noted(named.update_manifest_properties(changes, context));
  }

  Result<void> delete_tag(const std::string& repository, const std::string& tag,
                          const Context& context) override {
    const auto named = TRY(client_.artifact(repository, tag));
    return named.delete_tag(tag, context);
  }
  Result<void> delete_repository(const std::string& repository, const Context& context) override {
    TRY(client_.delete_repository(repository, context));
    return {};
  }
  Result<acr::Page<acr::ArtifactTagProperties>> list_tags(const std::string& repository,
                                                          const std::string& from,
                                                          const Context& context) override {
    const auto named = TRY(client_.repository(repository));
    acr::ListTagsOptions options;
    options.continuation_token = from;
    return noted(first_page(named.list_tag_properties(context, options)));
  }
  Result<acr::Page<acr::ArtifactManifestProperties>> list_manifests(
      const std::string& repository, const std::string& from, const Context& context) override {
    const auto named = TRY(client_.repository(repository));
    acr::ListManifestsOptions options;
    options.continuation_token = from;
    return noted(first_page(named.list_manifest_properties(context, options)));
  }

  Result<std::vector<std::string>> deleted_repositories(const Context& context) override {
    return noted(client_.list_deleted_repository_names(context).all());
  }
  Result<std::vector<acr::DeletedManifest>> deleted_manifests(const std::string& repository,
                                                              const Context& context) override {
    const auto named = TRY(client_.repository(repository));
    return noted(named.list_deleted_manifests(context).all());
  }
  Result<std::vector<acr::DeletedTag>> deleted_tags(const std::string& repository,
                                                    const Context& context) override {
    const auto named = TRY(client_.repository(repository));
    return noted(named.list_deleted_tags(context).all());
  }
  Result<void> restore_manifest(const std::string& repository, const Digest& digest,
                                const std::string& tag, bool force,
                                const Context& context) override {
    const auto named = TRY(client_.repository(repository));
    acr::RestoreOptions options;
    options.tag = tag;
    options.force = force;
    return noted(named.restore_manifest(digest, options, context));
  }
  Result<Digest> restore_tag(const std::string& repository, const std::string& tag, bool force,
                             const Context& context) override {
    const auto named = TRY(client_.repository(repository));
    acr::RestoreOptions options;
    options.force = force;
    return noted(named.restore_tag(tag, options, context));
  }

  Result<acr::Purge> purge(acr::PurgeOptions options) override {
    return acr::Purge::create(client_, std::move(options));
  }

 private:
  /// Whoever was taken for an Azure container registry and says that it has no such API is asked no
  /// more: every listing would cost a request that is refused.
  template <class T>
  Result<T> noted(Result<T> answer) {
    const HttpInfo* said = answer ? nullptr : answer.error().http();
    if (said != nullptr && said->status == 404 && answer.error().code() == Errc::unsupported) {
      refused_ = true;
    }
    return answer;
  }

  const acr::ContainerRegistryClient client_;
  const std::shared_ptr<const std::atomic<bool>> detected_;
  std::atomic<bool> refused_ = false;
};

}  // namespace

std::shared_ptr<Management> make_acr_management(acr::ContainerRegistryClient client,
                                                std::shared_ptr<const std::atomic<bool>> detected) {
  return std::make_shared<AcrManagement>(std::move(client), std::move(detected));
}

}  // namespace berth::content
