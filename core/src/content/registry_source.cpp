// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "berth/content/source.hpp"

namespace berth::content {
namespace {

class RegistrySource final : public Source, private Changes {
 public:
  RegistrySource(std::shared_ptr<registry::Client> client, std::shared_ptr<Management> management)
      : client_(std::move(client)),
        management_(std::move(management)) {}

  const std::string& name() const noexcept override { return client_->name(); }
  Capabilities capabilities() const override {
    Capabilities can;
    can.properties = can.tag_list_has_digests = management() != nullptr;
    return can;
  }

  Result<registry::Page> list_repositories(const std::string& from,
                                           const Context& context) override {
    return client_->list_repositories(from, context);
  }
  Result<registry::Page> list_tags(const std::string& repository, const std::string& from,
                                   const Context& context) override {
    return client_->list_tags(repository, from, context);
  }
  Result<registry::ManifestHead> head_manifest(const std::string& repository,
                                               const std::string& reference,
                                               const Context& context) override {
    return client_->head_manifest(repository, reference, context);
  }
  Result<registry::Client::RawManifest> get_manifest(const std::string& repository,
                                                     const std::string& reference,
                                                     const Context& context) override {
    return client_->get_raw_manifest(repository, reference, context);
  }
  Result<registry::BlobHead> head_blob(const std::string& repository, const Digest& digest,
                                       const Context& context) override {
    return client_->head_blob(repository, digest, context);
  }
  Result<registry::BlobStream> get_blob(const std::string& repository, const Digest& digest,
                                        std::uint64_t offset, std::optional<std::uint64_t> length,
                                        const Context& context) override {
    return client_->get_blob(repository, digest, offset, length, context);
  }
  Result<std::vector<oci::Descriptor>> referrers(const std::string& repository,
                                                 const Digest& digest,
                                                 const Context& context) override {
    return client_->referrers(repository, digest, context);
  }
  std::optional<std::filesystem::path> local_file(const Digest& /*digest*/) const override {
    return std::nullopt;
  }
  Result<Changes*> changes(const Context& /*context*/) override {
    return static_cast<Changes*>(this);
  }
  Management* management() const noexcept override {
    return management_ != nullptr && management_->offered() ? management_.get() : nullptr;
  }

 private:
  Result<registry::Uploaded> push_blob(const std::string& repository, registry::BlobSource& source,
                                       const registry::UploadOptions& options,
                                       const Context& context) override {
    return client_->push_blob(repository, source, options, context);
  }
  Result<registry::Pushed> put_manifest(const std::string& repository, const std::string& reference,
                                        const std::string& text, const std::string& media_type,
                                        const Context& context) override {
    return client_->put_manifest(repository, reference, text, media_type, context);
  }
  Result<Digest> tag(const std::string& repository, const std::string& reference,
                     const std::string& new_tag, const Context& context) override {
    return client_->tag(repository, reference, new_tag, context);
  }
  Result<void> delete_tag(const std::string& repository, const std::string& tag,
                          const Context& context) override {
    // ACR refuses it by the distribution API.
    if (auto* own = management()) return own->delete_tag(repository, tag, context);
    return client_->delete_tag(repository, tag, context);
  }
  Result<void> delete_manifest(const std::string& repository, const Digest& digest,
                               const Context& context) override {
    return client_->delete_manifest(repository, digest, context, management() == nullptr);
  }
  Result<void> delete_blob(const std::string& repository, const Digest& digest,
                           const Context& context) override {
    return client_->delete_blob(repository, digest, context);
  }
  Result<void> delete_repository(const std::string& repository, const Context& context) override {
    if (auto* own = management()) return own->delete_repository(repository, context);
    return Error(Errc::unsupported,
                 fmt::format("{} has no request that deletes a repository", name()));
  }

  const std::shared_ptr<registry::Client> client_;
  const std::shared_ptr<Management> management_;
};

}  // namespace

Result<Changes*> Source::changes(const Context& /*context*/) {
  return Error(Errc::unsupported,
               fmt::format("{} is not a registry: it is written by `berth cp`", name()));
}

Error no_properties(const Source& source) {
  return {
      Errc::unsupported,
      fmt::format("{0} has not the capability \"properties\": properties, locks, soft delete and "
                  "purge are an Azure container registry's. If it is one under another name, "
                  "say acr = true below [registry.\"{0}\"] in berth's configuration",
                  source.name())};
}

std::shared_ptr<Source> make_registry_source(std::shared_ptr<registry::Client> client,
                                             std::shared_ptr<Management> management) {
  return std::make_shared<RegistrySource>(std::move(client), std::move(management));
}

std::shared_ptr<Source> make_registry_source(const acr::ContainerRegistryClient& client) {
  return make_registry_source(client.distribution(), make_acr_management(client));
}

}  // namespace berth::content
