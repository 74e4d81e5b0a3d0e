// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "berth/auth/scope.hpp"
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
};

/// Sends requests to one registry with whatever it asks for: nothing, Basic, or a Bearer token for
/// the scopes (distribution, auth/token.md: GET form, POST form for identity tokens). A token is
/// refreshed before it expires; a 401 with a cached one is retried once with a fresh one. The
/// keychain is asked only when the registry asks for something. Thread safe.
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
