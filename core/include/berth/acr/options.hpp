// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "berth/acr/models.hpp"
#include "berth/auth/session.hpp"
#include "berth/auth/token_credential.hpp"
#include "berth/base/clock.hpp"
#include "berth/credential/keychain.hpp"
#include "berth/http/transport.hpp"

namespace berth::acr {

/// How often a request is repeated that met 408, 429, a 5xx or a broken connection. Exponential
/// with jitter; what the server asks for in Retry-After comes first, up to a minute. Of an upload
/// or a download: how often it is taken up without progress in between.
struct RetryOptions {
  int max_retries = 3;
  std::chrono::milliseconds retry_delay{1'000};
  std::chrono::milliseconds max_retry_delay{64'000};
};

/// Wraps the transport below it: sees every request that goes out (tokens, retries and redirects
/// too) and every answer. Called once for each client, when that is made; what it gives must be
/// thread safe. `next` outlives what it gives: both live as long as the client, its copies, and
/// whatever these gave that still needs the network.
using Policy = std::function<std::unique_ptr<http::Transport>(http::Transport& next)>;

/// Of every client: CommonClientOptions and ContainerRegistryClientOptions of the SDK. Who one is:
/// the first of `token_credential`, `credential` and `keychain` that is set; none of them is
/// anonymous. `keychain` and `token_credential` together: the identity is asked last, for what is
/// given neither to those of the keychain nor to everybody.
struct ContainerRegistryClientOptions {
  /// Microsoft Entra ID. Exchanged for a refresh token of the registry (acr.md 2.5).
  std::shared_ptr<auth::TokenCredential> token_credential{};
  /// An admin user or a repository-scoped token (user name and password), a refresh token of the
  /// registry (`identity_token`), or an access token (`registry_token`).
  std::optional<credential::Credential> credential{};
  /// docker's and podman's files, helpers.
  std::shared_ptr<credential::Keychain> keychain{};

  std::string audience{known_audience::kContainerRegistry};  ///< of Entra ID tokens
  std::string service_version = "2021-07-01";                ///< api-version

  RetryOptions retry{};
  /// Of one request, for GET and HEAD; one too many is Errc::corrupt. A blob takes one. A
  /// credential never goes with it to another origin.
  int max_redirects = http::limits::kRedirects;
  /// For what a Context does not limit: connecting, and silence in the middle of an answer.
  std::chrono::milliseconds connect_timeout = http::limits::kConnectTimeout;
  std::chrono::milliseconds stall_timeout = http::limits::kStallTimeout;
  /// "http://user:password@proxy:3128" for all requests; "" for none. Not set: https_proxy,
  /// http_proxy, all_proxy and no_proxy. Loopback is never asked for through a proxy.
  std::optional<std::string> proxy{};
  http::ConnectionOptions connection{};  ///< CA files, a client certificate (PEM, PKCS#12), HTTP/2
  /// http to a host that is not loopback, credentials included. http:// endpoints alone.
  bool allow_insecure_connection = false;
  std::string user_agent_prefix{};  ///< goes before "berth/VERSION"
  std::string client_request_id_header = "x-ms-client-request-id";
  std::vector<Policy> additional_policies{};  ///< the first is the outermost
  /// Instead of berth's own: then the timeouts above and `proxy` are its business.
  std::shared_ptr<http::Transport> transport{};
  /// Where tokens are kept between processes (auth::token_folder()); not set: in memory.
  std::optional<std::filesystem::path> token_folder{};
  /// Shared with other clients of this process, in place of `token_folder`.
  std::shared_ptr<auth::TokenStore> tokens{};
  Clock* clock = &real_clock();  ///< must outlive the client and all that it gave
};

/// What a registry answered, as it came.
struct RawResponse {
  int status = 0;
  std::string method;
  std::string url;  ///< with its query, which may be a secret: a storage's signature
  http::Headers headers;
  std::string body;  ///< "" of what moves content
};

/// Of every call: OperationOptions of the SDK. Its abortSignal and timeout are the Context.
struct OperationOptions {
  http::Headers custom_headers{};
  std::string client_request_id{};  ///< "": a new UUID
  /// Called in the caller's thread with what the registry answered, success or not, before it is
  /// understood. Lists, properties, restores, deletions (of content at an Azure registry): with
  /// the last answer to each request of the call, after retries and logins, and with its body; not
  /// when there was none, or when a login was asked for and failed. What moves content (all else of
  /// ContainerRegistryContentClient, RegistryArtifact::tag): with every answer that comes in,
  /// without its body, which is a stream: with challenges, tokens, retries and redirects too, and
  /// until the download's last byte.
  std::function<void(const RawResponse&)> on_response{};
};

/// Of a list.
struct ListOptions : OperationOptions {
  /// 0: 1,000, and the service's own (100) where it does not take that.
  int page_size = 0;
  std::string continuation_token{};  ///< where to go on; "" from the beginning
};

struct ListTagsOptions : ListOptions {
  ArtifactTagOrder order = ArtifactTagOrder::none;
  /// Asks the repository how many there are when the list is at its end: fewer in the list is
  /// Errc::corrupt. One more request. Only for a whole list from its beginning.
  bool verify_count = false;
};

struct ListManifestsOptions : ListOptions {
  ArtifactManifestOrder order = ArtifactManifestOrder::none;
  bool verify_count = false;  ///< as of ListTagsOptions
};

struct DeleteOptions : OperationOptions {
  /// What is not there counts as deleted, as in the SDKs. Else it is Errc::not_found.
  bool ignore_not_found = false;
};

}  // namespace berth::acr
