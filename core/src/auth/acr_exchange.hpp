// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/auth/session.hpp"

#include "auth/token_cache.hpp"

namespace berth::auth {

/// Azure Container Registry's token service, for one identity at one registry (acr.md 2.5): an
/// Entra ID token is exchanged for a refresh token of the registry, and that for an access token of
/// each scope. Both are kept in the cache; the identity is asked when no refresh token is there.
/// Always at the registry's own origin.
class AcrExchange {
 public:
  /// All must outlive it; `options.token_credential` is set. `service` as the challenge names the
  /// registry.
  AcrExchange(http::Client& client, TokenCache& tokens, const SessionOptions& options,
              std::string service);

  /// Errors: not_found when no identity is available, with each that was tried; unauthenticated
  /// when the registry refuses it, and why that may be; those of the credential.
  Result<TokenCache::Issued> refresh_token(const Secret& rejected, const Context& context) const;
  /// The registry writes into a refresh token what its identity may do: one that is some minutes
  /// old may know nothing of a role that was given since. Exchanges again then; false where it was
  /// done a moment ago, or nobody is there to do it.
  Result<bool> renew_rights(const Context& context) const;
  /// Does the registry give rights by repository (ABAC), and drop wildcards? As the refresh token
  /// says; false where none can be had.
  bool gives_rights_by_repository(const Context& context) const;
  /// Whose Entra ID token it is that was exchanged, for messages: of a chain, the one that gave it
  /// to this process; the chain itself where another process asked.
  std::string giver() const;
  /// An access token for `all`, asked for in the order of `scopes`.
  Result<TokenCache::Issued> access_token(const Scopes& all, const std::vector<std::string>& scopes,
                                          const Secret& rejected, const Context& context) const;

 private:
  Result<Token> exchange(const Context& context) const;
  Result<Token> fetch_access_token(const std::vector<std::string>& scopes,
                                   const Context& context) const;
  Result<Token> ask_for_access(const Secret& refresh, const std::vector<std::string>& scopes,
                               const Context& context) const;
  Result<http::Response> post(std::string_view path, std::string form,
                              const Context& context) const;
  Error refused_exchange(http::Response& response, const AccessToken& shown,
                         const Context& context) const;
  Result<Token> take(http::Response& response, std::string_view member, std::string_view what,
                     const Context& context) const;
  std::string key(std::string_view kind) const;

  http::Client& client_;
  TokenCache& tokens_;
  const SessionOptions& options_;
  const std::string service_;
};

/// The token with the lifetime that its claims give, received at `now`. A clock that differs from
/// the registry's makes no difference: what counts is how long it lives.
Token token_of_jwt(Secret value, Clock::SystemTime now);

}  // namespace berth::auth
