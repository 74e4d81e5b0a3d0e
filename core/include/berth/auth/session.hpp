// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "berth/auth/scope.hpp"
#include "berth/auth/token_credential.hpp"
#include "berth/credential/keychain.hpp"
#include "berth/http/client.hpp"

namespace berth::auth {

/// Where tokens are kept between processes: $BERTH_TOKENS, else $XDG_RUNTIME_DIR/berth, else root's
/// /run/berth, else nowhere (DESIGN section 5).
std::optional<std::filesystem::path> token_folder(const Environment& environment);

/// Tokens by origin, scopes and a keyed hash of the identity; in memory and, where there is a
/// folder, in 0600 files. One fetch however many wait, across threads and processes; a token for
/// more serves who needs less. A folder that is open to others is refused with a line in the log,
/// and tokens are then kept in memory. Also remembers how each registry asks. Thread safe.
class TokenStore {
 public:
  explicit TokenStore(const std::optional<std::filesystem::path>& folder,
                      Clock& clock = real_clock());
  ~TokenStore();

 private:
  friend class Session;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct SessionOptions {
  http::Url registry;  ///< its origin is the only one that sees the credential, besides its realm
  std::string name;    ///< what the keychain is asked for, and messages say: "localhost:5000"
  std::shared_ptr<const http::ConnectionOptions> connection{};
  /// Somebody named this registry for plain http: credentials may be sent to it so. Loopback needs
  /// no naming.
  bool plain_http_allowed = false;

  /// It is an Azure container registry: its tokens are asked for at its own origin, whatever realm
  /// it names, and live as long as their claims say.
  bool is_acr = false;
  /// Who one is to Microsoft Entra ID, for an Azure container registry that the keychain has no
  /// credential for. Asked after a 401 only. nullptr: nobody.
  std::shared_ptr<TokenCredential> token_credential{};
  std::string audience = "https://containerregistry.azure.net";  ///< of Entra ID's tokens
  std::string acr_api_version = "2021-07-01";                    ///< of an ACR's token service
  /// What a registry gives to everybody is taken so, and the identity asked only for the rest.
  bool anonymous_first = false;
};

/// A refresh token of an Azure container registry: the password of the user
/// 00000000-0000-0000-0000-000000000000, or an identity token.
struct RefreshToken {
  Secret token;
  Clock::SystemTime expires;
  Clock::SystemTime renew_at;  ///< half its life: from then on acr_refresh_token() gets another
};

/// Sends requests to one registry with whatever it asks for: nothing, Basic, or a Bearer token for
/// the scopes (distribution, auth/token.md: GET form, POST form for identity tokens). A token is
/// refreshed before it expires; a 401 with a cached one is retried once with a fresh one. The
/// keychain is asked only when the registry asks for something, and Entra ID only when
/// it has nothing. Thread safe.
class Session {
 public:
  /// All must outlive the session.
  Session(http::Client& client, credential::Keychain& keychain, TokenStore& tokens,
          SessionOptions options);
  ~Session();

  /// `request.url` must be on the registry's origin; `scopes` is what the request needs;
  /// `repository` chooses the credential ("" for the registry's own). Any status but 401 is a
  /// Response. Errors: unauthenticated for a 401 that remains, naming each source that was tried;
  /// untrusted from the URL policy; would_block for a non-blocking Context, at once; those of the
  /// keychain and of http::Client.
  Result<http::Response> send(http::Request request, const Scopes& scopes,
                              const std::string& repository, const Context& context);

  /// The registry's refresh token for `token_credential`: from memory or the token folder, else by
  /// an exchange, one however many threads and processes wait. Errors: invalid_argument without a
  /// token_credential; not_found when no identity is available, naming each that was tried; those
  /// of the credential; unauthenticated when the registry refuses it.
  Result<RefreshToken> acr_refresh_token(const Context& context);

  /// What to send as the Authorization header for these scopes, "Bearer ..." or "Basic ...", after
  /// the registry accepted it; empty when it asks for nothing. Errors as of send().
  Result<Secret> authorization(const Scopes& scopes, const std::string& repository,
                               const Context& context);

  http::Client& client() const noexcept;
  const SessionOptions& options() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::auth
