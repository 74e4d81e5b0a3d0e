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
/// folder, in 0600 files. One fetch however many wait, across threads and processes. Thread safe.
class TokenStore {
 public:
  explicit TokenStore(std::optional<std::filesystem::path> folder, Clock& clock = real_clock());
  ~TokenStore();

 private:
  friend class Session;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct SessionOptions {
  http::Url registry;  ///< its origin is the only one that sees the credential, besides its realm
  std::string name;    ///< what the keychain is asked for, and messages say: "localhost:5000"
  std::shared_ptr<const http::ConnectionOptions> connection;
};

/// Sends requests to one registry with whatever it asks for: nothing, Basic, or a Bearer token for
/// the scopes (distribution, auth/token.md: GET form, POST form for identity tokens). A token is
/// refreshed before it expires; a 401 with a cached one is retried once with a fresh one. A 401
/// that remains is Errc::unauthenticated, naming each source that was tried. Thread safe.
class Session {
 public:
  /// All must outlive the session.
  Session(http::Client& client, credential::Keychain& keychain, TokenStore& tokens,
          SessionOptions options);
  ~Session();

  /// `request.url` must be on the registry's origin; `scopes` is what the request needs.
  Result<http::Response> send(http::Request request, const Scopes& scopes,
                              const std::string& repository, const Context& context);

  http::Client& client() const noexcept;
  const SessionOptions& options() const noexcept;
  /// A fingerprint of who this session is to the registry, for keys of remembered data; never the
  /// secret.
  std::string identity() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::auth
