// SPDX-License-Identifier: Apache-2.0
#include "account.hpp"

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

std::string shown_user(const Credential& credential) {
  if (!credential.identity_token.empty() || !credential.registry_token.empty()) return "a token";
  return credential.username;
}

Result<Credential> take_credential(const LoginCommand& command, Workspace& workspace) {
  const CommonOptions& options = workspace.options();
  Io& io = workspace.io();
  std::string user = options.username;
  if (user.empty()) user = TRY(ask_line(io, "User name for " + command.registry + ": "));
  if (user.empty()) return Error{Errc::invalid_argument, "a user name is needed: --username NAME"};
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

Result<int> login(const LoginCommand& command, Workspace& workspace) {
  const ServerKey key = TRY(parse_registry(command.registry));
  const Credential credential = TRY(take_credential(command, workspace));
  const CommonOptions options = without_user(workspace.options());
  Workspace clean(options, workspace.io(), workspace.context());
  clean.name_hosts({key.host});
  credential::Keychain keychain = keychain_of(workspace, credential);
  const Secret shown = TRY(check_with_registry(clean, key, keychain, {}));
  credential::Router router = TRY(open_router(workspace));
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

Result<int> logout(const LogoutCommand& command, Workspace& workspace) {
  const ServerKey key = TRY(parse_registry(command.registry));
  credential::Router router = TRY(open_router(workspace));
  const auto places = TRY(router.erase(key, workspace.context()));
  content::Hub* hub = TRY(workspace.hub());
  const auto left = TRY(hub->keychain().find(key.host, key.path, workspace.context()));
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
  if (!left.credential.is_anonymous()) {
    workspace.io().error_line("berth: warning: " + left.credential.source +
                              " still has a credential for " + key.text() +
                              ": log out with the tool that put it there");
  }
  return kDone;
}

Result<int> whoami(const WhoamiCommand& command, Workspace& workspace) {
  const ServerKey key = TRY(parse_registry(command.registry));
  workspace.name_hosts({key.host});
  const Credential credential = TRY(credential_of(workspace, key));
  const bool anonymous = credential.is_anonymous();
  credential::Keychain keychain = keychain_of(workspace, credential);
  const auto shown = check_with_registry(workspace, key, keychain, {});
  // Who is nobody is no failure; a credential that is refused is.
  if (!shown && !(anonymous && shown.error().code() == Errc::unauthenticated)) {
    return Error(std::move(shown).error());
  }
  const bool asks = !shown || !shown->empty();
  if (workspace.options().json) {
    json::Node object = json::Node::object();
    object.set("registry", key.text());
    object.set("username", anonymous ? json::Node() : json::Node(shown_user(credential)));
    object.set("source", anonymous ? json::Node() : json::Node(credential.source));
    object.set("checked", asks && !anonymous);
    workspace.io().print(object.to_text(2) + "\n");
  } else if (anonymous) {
    workspace.io().print("nobody: " + key.text() + " is asked without credentials\n");
  } else {
    workspace.io().print(
        shown_user(credential) + " (from " + credential.source + ")" +
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
  auth::SessionOptions options = TRY(hub->session_options(key.host, workspace.context()));
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
