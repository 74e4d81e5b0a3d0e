// SPDX-License-Identifier: Apache-2.0
#include "account.hpp"

#include <unistd.h>

#include "berth/base/try.hpp"
#include "berth/json/writer.hpp"
#include "berth/oci/reference.hpp"

#include "commands.hpp"
#include "exit_status.hpp"
#include "identity.hpp"
#include "password.hpp"

namespace berth::cli {

namespace {

using credential::Credential;
using credential::ServerKey;

Result<auth::SessionOptions> session_of(Workspace& workspace, const ServerKey& key) {
  content::Hub* hub = TRY(workspace.hub());
  return hub->session_options(key.host, workspace.context());
}

/// Whom an Azure container registry is asked by where nobody else is known.
Result<KnownIdentity> identity_here(Workspace& workspace, const ServerKey& key) {
  const auth::SessionOptions session = TRY(session_of(workspace, key));
  if (session.token_credential != nullptr) return known_identity(session, workspace.context());
  return Error(Errc::not_found, key.text() + " is no Azure container registry");
}

/// Nothing is kept, and nothing that was kept is believed.
Result<void> check_identity(Workspace& workspace, const ServerKey& key) {
  content::Hub* hub = TRY(workspace.hub());
  auth::TokenStore tokens(std::nullopt);
  auth::Session session(hub->http(), hub->keychain(), tokens, TRY(session_of(workspace, key)));
  TRY(session.acr_refresh_token(workspace.context()));
  return {};
}

void set_identity(json::Node& object, const KnownIdentity& identity) {
  object.set("credential", identity.credential);
  object.set("account", identity.claims.account);
  object.set("tenant", identity.claims.tenant_id);
  object.set("object_id", identity.claims.object_id);
}

std::string shown_user(const Credential& credential) {
  if (!credential.identity_token.empty() || !credential.registry_token.empty()) return "a token";
  return credential.username;
}

Result<Credential> take_credential(const LoginCommand& command, const ServerKey& key,
                                   const credential::Router& router, Workspace& workspace) {
  const CommonOptions& options = workspace.options();
  Io& io = workspace.io();
  std::string user = options.username;
  if (user.empty()) user = TRY(ask_line(io, "User name for " + command.registry + ": "));
  if (user.empty()) return Error{Errc::invalid_argument, "a user name is needed: --username NAME"};
  TRY(router.check_put(key, user, command.store));
  Secret password =
      options.password_stdin ? TRY(read_password(io.in())) : TRY(ask_password(io, "Password: "));
  if (user == "<token>")
    return Credential{.identity_token = std::move(password), .source = "login"};
  return Credential{.username = user, .password = std::move(password), .source = "login"};
}

/// The common options say whom to log in, not with what to look.
CommonOptions without_user(CommonOptions options) {
  options.username.clear();
  options.password_stdin = false;
  return options;
}

/// docker's and podman's files are looked at before berth's store.
Result<void> warn_of_earlier(Workspace& workspace, const ServerKey& key,
                             const std::string& stored_in) {
  content::Hub* hub = TRY(workspace.hub());
  const auto lookup = TRY(hub->keychain().find(key.host, key.path, workspace.context()));
  const std::string& source = lookup.credential.source;
  if (lookup.credential.is_anonymous() || source == stored_in) return {};
  workspace.io().error_line("berth: warning: " + source + " has a credential for " + key.text() +
                            " too, and comes first");
  return {};
}

/// nullopt where no identity is there to log in with.
Result<std::optional<KnownIdentity>> identity_to_log_in(const LoginCommand& command,
                                                        Workspace& workspace,
                                                        const ServerKey& key) {
  const bool named = !workspace.options().username.empty() || !command.store.empty();
  if (named) return std::optional<KnownIdentity>();
  workspace.name_hosts({key.host});
  const auth::SessionOptions session = TRY(session_of(workspace, key));
  if (session.token_credential == nullptr) return std::optional<KnownIdentity>();
  auto identity = known_identity(session, workspace.context());
  if (identity) return std::optional(*std::move(identity));
  if (identity.error().code() != Errc::not_found) return std::move(identity).error();
  // A person may still give a user name and password.
  if (::isatty(workspace.io().in()) != 0) return std::optional<KnownIdentity>();
  return Error(Errc::unauthenticated,
               key.text() + ": " + identity.error().message() +
                   ": run `az login`, or give --username NAME --password-stdin");
}

Result<int> login_by_identity(Workspace& workspace, const ServerKey& key,
                              const KnownIdentity& identity) {
  TRY(check_identity(workspace, key));
  TRY(warn_of_earlier(workspace, key, std::string(credential::kEntraSource)));
  if (workspace.options().json) {
    json::Node object = json::Node::object();
    object.set("registry", key.text());
    object.set("username", json::Node());
    set_identity(object, identity);
    object.set("checked", true);
    object.set("kept_in", json::Node());
    workspace.io().print(object.to_text(2) + "\n");
  } else {
    workspace.io().print("Logged in to " + key.text() + " by " + identity.text() +
                         "; nothing had to be kept.\n");
  }
  return kDone;
}

Result<int> login(const LoginCommand& command, Workspace& workspace) {
  const ServerKey key = TRY(parse_registry(command.registry));
  const auto identity = TRY(identity_to_log_in(command, workspace, key));
  if (identity) return login_by_identity(workspace, key, *identity);
  credential::Router router = TRY(open_router(workspace));
  const Credential credential = TRY(take_credential(command, key, router, workspace));
  const CommonOptions options = without_user(workspace.options());
  Workspace clean(options, workspace.io(), workspace.context());
  clean.name_hosts({key.host});
  credential::Keychain keychain = keychain_of(workspace, credential);
  const Secret shown = TRY(check_with_registry(clean, key, keychain, {}));
  const std::string place = TRY(router.put(key, credential, workspace.context(), command.store));
  TRY(warn_of_earlier(clean, key, place));
  const std::string note =
      shown.empty() ? " (it asks nobody for a password, so nothing was checked)" : "";
  if (workspace.options().json) {
    json::Node object = json::Node::object();
    object.set("registry", key.text());
    object.set("username", shown_user(credential));
    object.set("checked", !shown.empty());
    object.set("kept_in", place);
    workspace.io().print(object.to_text(2) + "\n");
  } else {
    workspace.io().print("Logged in to " + key.text() + " as " + shown_user(credential) + note +
                         "; kept in " + place + ".\n");
  }
  return kDone;
}

/// Files that are others', and identities that are nobody's to forget.
Result<void> warn_of_what_is_left(Workspace& workspace, const ServerKey& key) {
  content::Hub* hub = TRY(workspace.hub());
  const auto left = TRY(hub->keychain().find(key.host, key.path, workspace.context()));
  if (!left.credential.is_anonymous()) {
    workspace.io().error_line("berth: warning: " + left.credential.source +
                              " still has a credential for " + key.text() +
                              ": log out with the tool that put it there");
  }
  // Whatever is wrong with an identity, it is not what logs in here then.
  const auto identity = identity_here(workspace, key);
  if (!identity) return {};
  workspace.io().error_line("berth: warning: " + key.text() + " is still asked by " +
                            identity->text() + ": log out of that (`az logout`), or unset it");
  return {};
}

Result<int> logout(const LogoutCommand& command, Workspace& workspace) {
  const ServerKey key = TRY(parse_registry(command.registry));
  credential::Router router = TRY(open_router(workspace));
  const auto places = TRY(router.erase(key, workspace.context()));
  json::Node removed = json::Node::array();
  for (const std::string& place : places) {
    removed.push_back(place);
    if (!workspace.options().json) workspace.io().print("Removed from " + place + ".\n");
  }
  if (workspace.options().json) {
    json::Node object = json::Node::object();
    object.set("registry", key.text());
    object.set("removed_from", std::move(removed));
    workspace.io().print(object.to_text(2) + "\n");
  } else if (places.empty()) {
    workspace.io().print("berth kept nothing for " + key.text() + ".\n");
  }
  TRY(warn_of_what_is_left(workspace, key));
  return kDone;
}

std::string shown_identity(const Result<KnownIdentity>& identity) {
  if (identity) return identity->text();
  return "an identity of Entra ID by a token that is kept (who it is cannot be said: " +
         identity.error().describe() + ")";
}

Result<int> whoami(const WhoamiCommand& command, Workspace& workspace) {
  const ServerKey key = TRY(parse_registry(command.registry));
  workspace.name_hosts({key.host});
  const Credential credential = TRY(credential_of(workspace, key));
  const bool anonymous = credential.is_anonymous();
  credential::Keychain keychain = keychain_of(workspace, credential);
  auto shown = check_with_registry(workspace, key, keychain, {});
  // Who is nobody is no failure; a credential that is refused is.
  if (!shown && !(anonymous && shown.error().code() == Errc::unauthenticated)) {
    return Error(std::move(shown).error());
  }
  const bool asks = !shown || !shown->empty();
  const bool by_identity = credential.source == credential::kEntraSource;
  const auto identity =
      by_identity ? identity_here(workspace, key) : Result<KnownIdentity>(KnownIdentity());
  if (workspace.options().json) {
    json::Node object = json::Node::object();
    object.set("registry", key.text());
    object.set("username", anonymous ? json::Node() : json::Node(shown_user(credential)));
    object.set("source", anonymous ? json::Node() : json::Node(credential.source));
    if (by_identity && identity) set_identity(object, *identity);
    object.set("checked", asks && !anonymous);
    if (!shown) object.set("refused", shown.error().describe());
    workspace.io().print(object.to_text(2) + "\n");
  } else if (anonymous) {
    workspace.io().print("nobody: " + key.text() + " is asked without credentials\n");
    if (!shown) workspace.io().error_line("berth: " + shown.error().describe());
  } else {
    workspace.io().print(
        (by_identity ? shown_identity(identity)
                     : shown_user(credential) + " (from " + credential.source + ")") +
        (asks ? ", accepted by " + key.text() : "; " + key.text() + " asks nobody for a password") +
        "\n");
  }
  return kDone;
}

int finish(Workspace& workspace, const Result<int>& done) {
  return done ? *done : report(workspace, done.error());
}

}  // namespace

Result<ServerKey> parse_registry(const std::string& text) {
  ServerKey key = TRY(credential::parse_server_key(text));
  if (!oci::looks_like_registry(key.host)) {
    return Error{Errc::invalid_argument,
                 "'" + text + "' is not a registry: write host, host:port or https://host"};
  }
  key.is_url = false;
  return key;
}

Result<Secret> check_with_registry(Workspace& workspace, const ServerKey& key,
                                   credential::Keychain& keychain, const auth::Scopes& scopes) {
  content::Hub* hub = TRY(workspace.hub());
  auth::SessionOptions options = TRY(session_of(workspace, key));
  auth::TokenStore tokens(std::nullopt);
  auth::Session session(hub->http(), keychain, tokens, std::move(options));
  return session.authorization(scopes, key.path, workspace.context());
}

Result<Credential> credential_of(Workspace& workspace, const ServerKey& key) {
  content::Hub* hub = TRY(workspace.hub());
  auto lookup = TRY(hub->keychain().find(key.host, key.path, workspace.context()));
  if (!lookup.credential.is_anonymous()) return std::move(lookup.credential);
  credential::Router router = TRY(open_router(workspace));
  const auto found = TRY(router.get(key, workspace.context()));
  return found.value_or(Credential{});
}

credential::Keychain keychain_of(Workspace& workspace, const Credential& credential) {
  credential::KeychainOptions only;
  only.environment = workspace.io().environment();
  only.explicit_credential = credential;
  return credential::Keychain(std::move(only));
}

Result<credential::Router> open_router(Workspace& workspace) {
  const Environment& environment = workspace.io().environment();
  credential::Config config = TRY(credential::load_config(environment));
  credential::RouterOptions options;
  options.environment = environment;
  options.config = std::move(config.credential);
  options.fetch_token =
      [environment](const std::string& registry,
                    const Context& context) -> Result<std::optional<credential::RefreshToken>> {
    auto token = identity_token(registry, std::nullopt, environment, context);
    if (token) return std::optional(*std::move(token));
    if (token.error().code() == Errc::not_found) return std::optional<credential::RefreshToken>();
    return Error(std::move(token).error());
  };
  return credential::Router(std::move(options));
}

int run_login(const LoginCommand& command, Workspace& workspace) {
  return finish(workspace, login(command, workspace));
}
int run_logout(const LogoutCommand& command, Workspace& workspace) {
  return finish(workspace, logout(command, workspace));
}
int run_whoami(const WhoamiCommand& command, Workspace& workspace) {
  return finish(workspace, whoami(command, workspace));
}

}  // namespace berth::cli
