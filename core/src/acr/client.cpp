// SPDX-License-Identifier: Apache-2.0
#include "berth/acr/client.hpp"

#include <fmt/format.h>

#include "berth/base/try.hpp"

#include "acr/parse.hpp"
#include "acr/requests.hpp"

namespace berth::acr {

Result<ContainerRegistryClient> ContainerRegistryClient::create(
    std::string_view endpoint, ContainerRegistryClientOptions options) {
  auto core = TRY(Core::make(endpoint, std::move(options)));
  return ContainerRegistryClient(std::move(core));
}

const std::string& ContainerRegistryClient::endpoint() const noexcept { return core_->endpoint(); }
const std::string& ContainerRegistryClient::name() const noexcept { return core_->name(); }
std::uint64_t ContainerRegistryClient::requests() const noexcept { return core_->requests(); }

Paged<std::string> ContainerRegistryClient::list_repository_names(
    const Context& context, const ListOptions& options) const {
  const std::string query = Core::query({{"api-version", core_->api_version()}});
  return paged<std::string>({.core = core_,
                             .call = {.target = Core::path({"_catalog"}) + query,
                                      .scopes = auth::Scopes::catalog(),
                                      .operation = fmt::format("repositories of {}", name())},
                             .options = options,
                             .context = context},
                            parse_names);
}

Result<bool> ContainerRegistryClient::repository_exists(const std::string& repository_name,
                                                        const Context& context,
                                                        const OperationOptions& options) const {
  const auto repo = TRY(repository(repository_name));
  return repo.exists(context, options);
}

Result<DeletedRepository> ContainerRegistryClient::delete_repository(
    const std::string& repository_name, const Context& context,
    const DeleteOptions& options) const {
  const auto repo = TRY(repository(repository_name));
  return repo.remove(context, options);
}

Result<ContainerRepository> ContainerRegistryClient::repository(
    const std::string& repository_name) const {
  TRY(check_repository_name(repository_name));
  return ContainerRepository(core_, repository_name);
}

std::shared_ptr<registry::Client> ContainerRegistryClient::distribution() const {
  return {core_, &core_->registry()};
}

Result<ContainerRegistryContentClient> ContainerRegistryClient::content(
    const std::string& repository_name) const {
  TRY(check_repository_name(repository_name));
  return ContainerRegistryContentClient(core_, repository_name);
}

Result<RegistryArtifact> ContainerRegistryClient::artifact(const std::string& repository_name,
                                                           const std::string& tag_or_digest) const {
  return RegistryArtifact::make(core_, repository_name, tag_or_digest);
}

Paged<std::string> ContainerRegistryClient::list_deleted_repository_names(
    const Context& context, const ListOptions& options) const {
  return paged<std::string>(
      {.core = core_,
       .call = {.target = Core::path({"_deleted", "_catalog"}),
                .scopes = auth::Scopes::parse("registry:deleted_catalog:*"),
                .operation = fmt::format("deleted repositories of {}", name())},
       .options = options,
       .context = context},
      parse_names);
}

}  // namespace berth::acr
