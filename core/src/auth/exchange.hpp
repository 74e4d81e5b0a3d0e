// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "berth/auth/session.hpp"

#include "auth/acr_exchange.hpp"
#include "auth/refusal.hpp"
#include "auth/scheme.hpp"
#include "auth/token_cache.hpp"

namespace berth::auth {

/// One request of a session, until it is answered with something other than a 401 or there is
/// nothing more to show. At most: the request as the registry was last known to ask; again, as it
/// asks now; and once more, when what was shown came from a cache and may have been stale. Then, at
/// an Azure container registry, the same as whoever Entra ID says that one is.
class Exchange {
 public:
  Exchange(http::Client& client, credential::Keychain& keychain, TokenCache& tokens,
           const SessionOptions& options, const Scopes& scopes, const std::string& repository,
           const Context& context);

  Result<http::Response> run(http::Request request);
  /// What the request that was answered carried; empty for nothing.
  const Secret& authorization() const noexcept { return authorization_; }

 private:
  /// What the last request carried.
  struct Shown {
    bool anything = false;
    bool was_cached = false;  ///< a token that was not fetched for this request
    Secret token;
    Scopes asked;
    std::optional<AuthScheme> scheme;
  };

  Result<void> authorize(http::Request& request, const AuthScheme& scheme);
  /// As the registry was last known to ask. What it said then may be wrong by now: when no token
  /// can be had so, nothing is shown and the registry is asked anew.
  Result<void> authorize_as_remembered(http::Request& request);
  Result<void> authorize_basic(http::Request& request);
  Result<void> authorize_bearer(http::Request& request, const TokenServer& server);
  Result<TokenCache::Issued> token_for(const TokenServer& server, const Scopes& all);
  Result<TokenCache::Issued> ask_for_token(const TokenServer& server, const Scopes& all);
  Result<TokenCache::Issued> ask_identity(const TokenServer& server, const Scopes& all);

  Result<Demand> demand(http::Response& response);
  Result<Demand> demand_of_ping();
  /// Is there something to show that was not yet refused?
  Result<bool> may_try_again(const Demand& next);
  Result<bool> has_something_new(const Demand& next);
  Result<bool> has_new_credential();
  /// From now on by Entra ID; false where there is no identity, or it was shown already.
  bool turn_to_identity(bool everything);
  bool is_by_identity() const;
  Result<bool> has_new_rights(const Demand& next);
  AcrExchange exchange_at(const TokenServer& server) const;
  Refusal refusal_of(const Scopes& scopes) const;
  Result<void> look_up();
  Result<void> check_may_show() const;
  Error refused(http::Response& response, std::string_view method, const Demand& last) const;
  Error foreign_401(const http::Response& response) const;
  std::string identity_key(const TokenServer& server) const;

  http::Client& client_;
  credential::Keychain& keychain_;
  TokenCache& tokens_;
  const SessionOptions& options_;
  const Scopes& wanted_;
  const std::string& repository_;
  const Context& context_;

  const std::string origin_;
  std::optional<credential::Lookup> lookup_;
  Scopes demanded_;  ///< what the last 401 asked for: goes first in the next token request
  Secret rejected_;
  Secret authorization_;
  Shown shown_;
  std::optional<std::pair<AuthScheme, Error>> outdated_;  ///< a remembered scheme that led nowhere
  bool tried_again_ = false;
  bool by_identity_ = false;  ///< nobody in particular was refused: Entra ID's turn
  bool renewed_rights_ = false;
  bool nobody_refused_ = false;                   ///< in this exchange
  std::optional<credential::Tried> no_identity_;  ///< Entra ID's turn came, and nobody was there
};

}  // namespace berth::auth
