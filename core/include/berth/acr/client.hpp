// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "berth/acr/content_client.hpp"
#include "berth/acr/deleted.hpp"
#include "berth/acr/models.hpp"
#include "berth/acr/options.hpp"
#include "berth/acr/paging.hpp"
#include "berth/acr/repository.hpp"

namespace berth::registry {
class Client;
}

namespace berth::acr {

class Core;

/// An Azure container registry: ContainerRegistryClient of the official SDKs. Thread safe; cheap to
/// copy, and copies share their connections and tokens. What it gives may outlive it. Every call
/// blocks within its Context.
///
/// Errors of all calls of this layer. The registry's word: not_found; denied (403, and what is
/// locked: ACR's 405 REGISTRY_DISALLOWED_OPERATION); unauthenticated; conflict; rate_limited and
/// unavailable after all retries; unsupported where the registry is no ACR. Error::http() holds its
/// code, message, detail and correlation id. Of an answer: corrupt for one that cannot be right, a
/// list cut short among them; too_large for one beyond http/limits.hpp; untrusted for a
/// certificate, and for a redirect or a link that leads where the URL policy lets nobody go. Of the
/// Context: timeout, cancelled, and would_block where it is a non-blocking one. Of this machine:
/// io, no_space, not_found and denied for files and for the token folder. invalid_argument for what
/// cannot be asked, before anything is sent; internal for a defect of berth.
class ContainerRegistryClient {
 public:
  /// `endpoint`: "https://myregistry.azurecr.io", or the name alone. http:// is for loopback, or
  /// for `allow_insecure_connection`. No network. Errc::invalid_argument, Errc::untrusted.
  static Result<ContainerRegistryClient> create(std::string_view endpoint,
                                                ContainerRegistryClientOptions options = {});

  const std::string& endpoint() const noexcept;  ///< "https://myregistry.azurecr.io"
  const std::string& name() const noexcept;      ///< "myregistry.azurecr.io", with a port if any

  /// GET /acr/v1/_catalog.
  Paged<std::string> list_repository_names(const Context& context,
                                           const ListOptions& options = {}) const;
  /// Is there one of this name?
  Result<bool> repository_exists(const std::string& repository_name, const Context& context,
                                 const OperationOptions& options = {}) const;
  /// With all that is in it, and what that was.
  Result<DeletedRepository> delete_repository(const std::string& repository_name,
                                              const Context& context,
                                              const DeleteOptions& options = {}) const;

  /// No network. Errc::invalid_argument for what cannot be a name.
  Result<ContainerRepository> repository(const std::string& repository_name) const;
  Result<RegistryArtifact> artifact(const std::string& repository_name,
                                    const std::string& tag_or_digest) const;

  /// Repositories that hold something deleted which can be restored (deleted.hpp).
  Paged<std::string> list_deleted_repository_names(const Context& context,
                                                   const ListOptions& options = {}) const;

  /// Requests that went out so far, those for tokens, retries and redirects included.
  std::uint64_t requests() const noexcept;

  /// The distribution API of the same registry, over the same connections and tokens, which it
  /// keeps alive: for what berth's other layers take, such as content::make_registry_source, by
  /// which images are copied. Its calls have no OperationOptions.
  std::shared_ptr<registry::Client> distribution() const;

  /// Manifests and blobs of a repository, over this client's connections.
  Result<ContainerRegistryContentClient> content(const std::string& repository_name) const;

 private:
  friend class Purge;
  explicit ContainerRegistryClient(std::shared_ptr<Core> core)
      : core_(std::move(core)) {}
  std::shared_ptr<Core> core_;
};

}  // namespace berth::acr
