// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "berth/auth/session.hpp"
#include "berth/base/sync.hpp"

#include "auth/token.hpp"
#include "auth/token_fetch.hpp"
#include "auth/token_folder.hpp"

namespace berth::auth {

/// How a registry asks for credentials.
struct AuthScheme {
  enum class Kind : unsigned char { basic, bearer };
  Kind kind = Kind::basic;
  std::optional<TokenServer> server;  ///< of bearer
};

/// Tokens by identity and scopes, and what is remembered of how registries ask. Thread safe.
class TokenCache {
 public:
  TokenCache(const std::optional<std::filesystem::path>& folder, Clock& clock);

  /// A keyed hash of all that chooses a token but the scopes; each part ends where it ends.
  std::string identity_key(const std::vector<std::string_view>& parts) const;

  struct Issued {
    Token token;
    bool fresh = false;  ///< fetched now, by this caller or by one that it waited for
  };
  using Fetch = std::function<Result<Token>()>;
  /// A process that fetches may be stopped (Ctrl-Z) or hang: others pass it by after this long, as
  /// a reader passes by a chunk's lock.
  static constexpr std::chrono::seconds kPatience{5};
  /// A token for at least `scopes`, never the one that was `rejected`. `fetch` runs in one of the
  /// threads and processes that want the same one; the others wait for it, the latter for no longer
  /// than `patience`.
  Result<Issued> get(const std::string& identity, const Scopes& scopes, const Secret& rejected,
                     const Fetch& fetch, const Context& context,
                     std::chrono::seconds patience = kPatience);

  std::optional<AuthScheme> scheme(const std::string& origin) const;
  void remember(const std::string& origin, const AuthScheme& scheme);
  void forget(const std::string& origin);  ///< how it asks
  /// What a registry once asked for beyond `wanted`, so that the next request has it at once.
  Scopes with_extra(const std::string& origin, const Scopes& wanted) const;
  void remember_extra(const std::string& origin, const Scopes& wanted, const Scopes& extra);
  /// Nobody in particular was refused what is `wanted` there: next time one says at once who one
  /// is. `everything`: all else as well.
  void remember_refusal(const std::string& origin, const Scopes& wanted, bool everything);
  void forget_refusals(const std::string& origin);
  bool refuses_nobody(const std::string& origin, const Scopes& wanted) const;
  /// Which credential of a chain gave what was exchanged for the tokens of `identity`: for
  /// messages, and as far as this process did it; else "".
  std::string giver(const std::string& identity) const;
  void remember_giver(const std::string& identity, const std::string& name);

 private:
  struct Flight {
    std::optional<Result<Token>> result;
  };
  struct Memory {
    std::map<std::string, StoredToken> by_scopes;
  };
  struct Wish {
    const std::string& identity;
    const Scopes& scopes;
    const Secret& rejected;
    std::string scopes_hash;
    std::chrono::seconds patience;
  };

  bool serves(const StoredToken& stored, const Wish& wish) const;
  std::optional<Token> in_memory(const Wish& wish) BERTH_REQUIRES(mutex_);
  std::optional<Token> still_valid(const Wish& wish);
  void drop_expired() BERTH_REQUIRES(mutex_);
  void keep(const Wish& wish, const StoredToken& stored) BERTH_REQUIRES(mutex_);
  void drop_rejected(const Wish& wish);
  Result<Issued> lead(const Wish& wish, const Fetch& fetch, const Context& context);
  Result<Issued> lead_among_processes(const Wish& wish, const Fetch& fetch, const Context& context);
  std::optional<TokenFolder::Lock> lock_file(const Wish& wish, const Context& context,
                                             std::optional<StoredToken>& found);
  std::string hash(std::string_view text, std::size_t bytes) const;

  Clock& clock_;
  std::unique_ptr<TokenFolder> folder_;
  Secret key_;
  mutable Mutex mutex_;
  CondVar landed_;
  std::map<std::string, Memory> tokens_ BERTH_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Flight>> flights_ BERTH_GUARDED_BY(mutex_);
  std::map<std::string, AuthScheme> schemes_ BERTH_GUARDED_BY(mutex_);
  std::map<std::string, Scopes> extras_ BERTH_GUARDED_BY(mutex_);
  std::map<std::string, std::string> givers_ BERTH_GUARDED_BY(mutex_);
  std::set<std::string> refusals_ BERTH_GUARDED_BY(mutex_);  ///< origins, with scopes or without
};

/// The public class's inside; a type of its own so that it can be tested.
struct TokenStore::Impl {
  TokenCache cache;
};

}  // namespace berth::auth
