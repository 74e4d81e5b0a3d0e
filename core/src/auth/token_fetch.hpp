// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "berth/auth/session.hpp"
#include "berth/credential/credential.hpp"

#include "auth/token.hpp"

namespace berth::auth {

/// Who issues tokens for a registry: what a Bearer challenge says.
struct TokenServer {
  http::Url realm;
  std::string service;
  /// How far away the registry was that named it: its realm may be no nearer.
  std::optional<http::AddressClass> registry_peer;
  friend bool operator==(const TokenServer& a, const TokenServer& b) {
    return a.realm.text() == b.realm.text() && a.service == b.service;
  }
};

struct TokenServerRequest {
  const SessionOptions& registry;
  const TokenServer& server;
  const credential::Credential& credential;
  std::vector<std::string> scopes;  ///< in the order to ask: some servers look at the first alone
};

/// `all`, with those first that `first` names.
std::vector<std::string> ordered_scopes(const Scopes& all, const Scopes& first);

/// One exchange with the token server (distribution, spec/auth/token.md and oauth.md): anonymous or
/// Basic by GET, an identity token by POST and, where the server has no POST and there is a
/// password, by GET. Errors: untrusted from the URL policy; unauthenticated when the server refuses
/// the credential; corrupt for an answer that is no token; else what http says.
Result<Token> fetch_token(http::Client& client, const TokenServerRequest& request,
                          const Context& context);

/// The token in a server's answer, received at `now`.
Result<Token> parse_token(std::string_view body, Clock::SystemTime now);

/// What the Basic scheme sends.
Secret basic_authorization(const credential::Credential& credential);

}  // namespace berth::auth
