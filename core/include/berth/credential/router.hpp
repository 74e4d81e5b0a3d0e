// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "berth/base/clock.hpp"
#include "berth/base/context.hpp"
#include "berth/base/environment.hpp"
#include "berth/credential/config.hpp"
#include "berth/credential/credential.hpp"
#include "berth/credential/keychain.hpp"
#include "berth/credential/server_key.hpp"
#include "berth/credential/token_file.hpp"

namespace berth::credential {

/// What Entra ID's token for a registry is shown as: the user name that ACR ignores.
inline constexpr std::string_view kAcrUser = "00000000-0000-0000-0000-000000000000";
/// Credential::source of such a token.
inline constexpr std::string_view kEntraSource = "Entra ID";

struct RouterOptions {
  Environment environment = real_environment;
  CredentialConfig config{};
  /// Fetches a registry's refresh token with an Entra ID identity; nullopt when no identity is
  /// available here. Without it only tokens that are in the tokens folder are answered.
  std::function<Result<std::optional<RefreshToken>>(const std::string& registry, const Context&)>
      fetch_token{};
  /// "" for identity_of(environment): else which identity fetch_token stands for.
  std::string identity{};
  /// Whether what fetch_token gives is kept: false where nobody can say whose it is.
  bool keep_tokens = true;
  Clock* clock = &real_clock();  ///< must outlive the router
};

class Store;

/// Answers for every registry by berth's routes: from berth's own store, another helper, or Entra
/// ID. What docker-credential-berth does for tools, and the Keychain for berth itself. Thread safe;
/// blocks while a helper or a fetch runs; a helper is given `helper_timeout`.
class Router {
 public:
  explicit Router(RouterOptions options);

  /// nullopt when nobody has one. `tried`, if not null, gets a line for each step. Errors: a helper
  /// or identity that fails: never a reason to ask somebody else.
  Result<std::optional<Credential>> get(const ServerKey& key, const Context& context,
                                        std::vector<Tried>* tried = nullptr);

  /// Keeps a credential where the route leads and says where that is, for people. Errors:
  /// unsupported, saying what to change, for a route to Entra ID or to nowhere; but the token of
  /// `az acr login`, which berth renews itself, is dropped without one. `store`: berth's own store
  /// of that name, whatever the route says.
  Result<std::string> put(const ServerKey& key, const Credential& credential,
                          const Context& context, const std::string& store = {});

  /// Would put() find a place for that user's credential? Its errors, before a person is asked for
  /// a secret. Nobody is asked whether the place takes it.
  Result<void> check_put(const ServerKey& key, const std::string& username,
                         const std::string& store = {}) const;

  /// Erases it there; without an error when there is none. The names of the places that had one.
  Result<std::vector<std::string>> erase(const ServerKey& key, const Context& context);

  /// Server URL -> user name, of the store, of each routed helper as far as routes lead to it, and
  /// of Entra ID. What fails is left out, and said in `failures`: one error would end docker's
  /// build.
  std::map<std::string, std::string> list(const Context& context, std::vector<Error>& failures);

  /// The token behind get() of a registry whose route leads to Entra ID, with its times.
  Result<std::optional<RefreshToken>> entra_token(const std::string& registry,
                                                  const Context& context,
                                                  std::vector<Tried>* tried = nullptr);

  Route route(const ServerKey& key) const { return route_for(options_.config, key); }

 private:
  using Found = Result<std::optional<Credential>>;
  Found from_store(const ServerKey& key, const Context& context, std::vector<Tried>* tried);
  Found from_helper(const std::string& helper, const ServerKey& key, const Context& context,
                    std::vector<Tried>* tried);
  Found renewed(Credential held, const std::string& registry, const Context& context,
                std::vector<Tried>* tried);
  Result<std::unique_ptr<Store>> own_store(const ServerKey& key, const std::string& username,
                                           const std::string& named) const;
  Result<void> erase_earlier(const ServerKey& key, const Store& target,
                             const Context& context) const;
  void list_stores(const Context& context, std::map<std::string, std::string>& entries,
                   std::vector<Error>& failures);
  void list_helpers(const Context& context, std::map<std::string, std::string>& entries,
                    std::vector<Error>& failures);
  void list_tokens(std::map<std::string, std::string>& entries) const;

  RouterOptions options_;
};

}  // namespace berth::credential
