// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "berth/base/clock.hpp"
#include "berth/http/message.hpp"

namespace berth::http {

/// How often and how fast a request is repeated. Which errors are is a property of the error
/// (Error::is_retryable) and of the method: only GET and HEAD, and POSTs marked so, are repeated;
/// after 429 any request, because it was not acted upon.
struct RetryPolicy {
  int attempts = 5;  ///< in all
  std::chrono::milliseconds first_delay{250};
  std::chrono::milliseconds max_delay{10'000};
  /// Before try number `attempt` (2 or more): exponential with full jitter, or Retry-After capped
  /// by limits::kRetryAfterCap where the server gave one (who is asked for more does not try
  /// again).
  std::chrono::milliseconds delay(int attempt, std::optional<std::chrono::milliseconds> retry_after,
                                  double random01) const;
};

/// Retry-After in seconds or as an HTTP date (RFC 9110 section 10.2.3); nullopt for unusable text.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value,
                                                           Clock::SystemTime now);
/// What an answer asks to wait: retry-after-ms and x-ms-retry-after-ms, in milliseconds, which
/// Azure's services send, or Retry-After. nullopt without one of them that is usable.
std::optional<std::chrono::milliseconds> asked_wait(const Headers& headers, Clock::SystemTime now);

/// DESIGN section 5's one URL policy. Where may a URL that a server named lead?
namespace url_policy {

using http::AddressClass;
/// Of an IP literal or "localhost" and names below it; nullopt for any other name (decided when it
/// is resolved: Request::forbidden_addresses). IPv4 inside IPv6 (mapped, 6to4, NAT64, Teredo)
/// counts as what it leads to; shared address space (100.64/10) as private; cloud platforms' own
/// addresses (169.254/16, 168.63.129.16) as link-local.
std::optional<AddressClass> classify_host(std::string_view host);

/// Where a name may not lead that was given by a server whose address is of class `from` (nullopt:
/// not known, taken as public). A redirect leads to loopback only from loopback, and to link-local
/// only from loopback or link-local; a realm moreover to private only from one of these three.
AddressClasses forbidden_after_redirect(std::optional<AddressClass> from);
AddressClasses forbidden_for_realm(std::optional<AddressClass> registry);

/// A redirect from `from` to `to`: never from https to http, never from a public to a loopback or
/// link-local host. `from_peer` is the class of the address that answered, where it is known
/// (Response::peer). Errc::untrusted with the reason.
Result<void> check_redirect(const Url& from, const Url& to,
                            std::optional<AddressClass> from_peer = {});
/// A `Link` to the next page stays on its origin.
Result<void> check_page_link(const Url& from, const Url& to);
/// A token realm named by `registry`: https, or http when the registry is http; never a loopback,
/// link-local or private host unless the registry is at one too (by its name, or by
/// `registry_peer`).
Result<void> check_realm(const Url& registry, const Url& realm,
                         std::optional<AddressClass> registry_peer = {});
/// May a password or identity token go to this realm? The registry's own host, a host that shares
/// its registrable domain (the last two labels, or three below known second-level suffixes), a
/// known pair (dhi.io's auth.docker.io, ...).
bool realm_may_see_password(const Url& registry, const Url& realm);
/// The TLS settings of the origin `own` for a request that goes from there to `target`: all of them
/// on the same origin, elsewhere the CA files alone. Neither a client certificate nor a waived
/// verification was meant for anybody else (CVE-2019-10214), but a registry's CA may well have
/// signed for the token server or the storage beside it.
std::shared_ptr<const ConnectionOptions> connection_for(
    const std::shared_ptr<const ConnectionOptions>& options, const Url& own, const Url& target);
/// Plain http is for loopback, or for a host that was named for it.
Result<void> check_plain_http(const Url& url, bool host_was_named_for_http);

}  // namespace url_policy

}  // namespace berth::http
