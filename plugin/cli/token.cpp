// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>

#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/jwt.hpp"
#include "berth/json/writer.hpp"

#include "account.hpp"
#include "commands.hpp"
#include "exit_status.hpp"
#include "identity.hpp"
#include "password.hpp"

namespace berth::cli {

namespace {

constexpr std::string_view kBearer = "Bearer ";

Result<auth::Scopes> scopes_of(const TokenCommand& command, const std::string& repository) {
  auth::Scopes scopes;
  for (const std::string& text : command.scopes) {
    const auth::Scopes one = auth::Scopes::parse(text);
    if (one.empty() || text.find(':') == std::string::npos) {
      return Error{Errc::invalid_argument, "'" + text +
                                               "' is no scope: write repository:NAME:pull,push, "
                                               "or registry:catalog:*"};
    }
    scopes.add(one);
  }
  if (command.scopes.empty() && !repository.empty()) scopes = auth::Scopes::pull(repository);
  return scopes;
}

/// "host/repository:tag" is how people name what they want to pull.
std::string without_tag(const std::string& text) {
  const std::size_t slash =
      text.find('/', text.find("://") == std::string::npos ? 0 : text.find("://") + 3);
  if (slash == std::string::npos) return text;
  return text.substr(0, std::min(text.find_first_of(":@", slash), text.size()));
}

void print_token(Workspace& workspace, json::Node object, const char* name,
                 const std::string& token) {
  if (workspace.options().json) {
    object.set(name, token);
    workspace.io().print(object.to_text(2) + "\n");
  } else {
    workspace.io().print(token + "\n");
  }
}

/// What stands for a login, where it is a token: of docker's login, or of an Azure registry.
Result<std::string> identity_of(const credential::ServerKey& key,
                                const credential::Credential& credential) {
  if (!credential.identity_token.empty()) return credential.identity_token.reveal();
  if (credential.username == credential::kAcrUser) return credential.password.reveal();
  if (credential.is_anonymous()) {
    return Error{Errc::not_found, "nobody is logged in to " + key.host + ": `berth login " +
                                      key.host + "` keeps a login"};
  }
  return Error{Errc::unsupported,
               "the login to " + key.host +
                   " is a user name and password, and no identity token: give ctr the name with "
                   "--user, and it asks for the password"};
}

Result<int> identity_token_of(const TokenCommand& command, Workspace& workspace) {
  const credential::ServerKey key = TRY(parse_registry(without_tag(command.registry)));
  workspace.name_hosts({key.host});
  const std::string token = TRY(identity_of(key, TRY(credential_of(workspace, key))));
  json::Node object = json::Node::object();
  object.set("registry", key.host);
  print_token(workspace, std::move(object), "identity_token", token);
  return kDone;
}

/// The refresh token of an Azure registry says whether that gives rights by repository. A token for
/// nothing but what it drops would look like one and be good for nothing.
Result<void> check_wildcards(const credential::ServerKey& key,
                             const credential::Credential& credential, const auth::Scopes& scopes) {
  const auth::Scopes dropped = scopes.wildcards();
  if (dropped.empty()) return {};
  const bool is_azure_token = credential.username == credential::kAcrUser;
  const Secret& shown = is_azure_token ? credential.password : credential.identity_token;
  const auto claims = credential::read_jwt(shown.reveal());
  if (!claims || !claims->by_repository) return {};
  const std::string why =
      key.host + " gives rights by repository (ABAC) and drops wildcards: a token for " +
      dropped.text() +
      " is good for nothing there; name each repository, as in --scope repository:NAME:pull";
  if (dropped.contains(scopes)) return Error{Errc::denied, why};
  log::warning(why);
  return {};
}

Result<int> token(const TokenCommand& command, Workspace& workspace) {
  const credential::ServerKey key = TRY(parse_registry(without_tag(command.registry)));
  workspace.name_hosts({key.host});
  const auth::Scopes scopes = TRY(scopes_of(command, key.path));
  const credential::Credential credential = TRY(credential_of(workspace, key));
  TRY(check_wildcards(key, credential, scopes));
  credential::Keychain keychain = keychain_of(workspace, credential);
  const Secret header = TRY(check_with_registry(workspace, key, keychain, scopes));
  if (header.empty()) {
    return Error{Errc::unsupported, key.host + " asks for no token: use it without one"};
  }
  if (command.header) {
    workspace.io().print("Authorization: " + header.reveal() + "\n");
    return kDone;
  }
  const std::string& value = header.reveal();
  if (!value.starts_with(kBearer)) {
    return Error{Errc::unsupported,
                 key.host +
                     " takes a user name and password with each request, and gives no "
                     "tokens: `berth token --header` prints the header to send"};
  }
  const std::string token = value.substr(kBearer.size());
  json::Node object = json::Node::object();
  object.set("registry", key.host);
  object.set("scope", scopes.text());
  print_token(workspace, std::move(object), "token", token);
  return kDone;
}

std::int64_t milliseconds_of(Clock::SystemTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

/// What docker-credential-berth and berth-credential-provider ask when they hold no token. Exit
/// status 3 tells them that nobody is logged in here, which is no failure.
Result<int> helper_token(const TokenCommand& command, Workspace& workspace) {
  const credential::ServerKey key = TRY(parse_registry(command.registry));
  std::optional<WorkloadToken> workload;
  if (command.workload_stdin) {
    const Secret input = TRY(read_password(workspace.io().in()));
    workload = TRY(parse_workload(input.reveal()));
  }
  const auto token =
      TRY(identity_token(key.host, workload, workspace.io().environment(), workspace.context()));
  json::Node object = json::Node::object();
  object.set("token", token.value.reveal());
  object.set("issued", milliseconds_of(token.issued));
  object.set("expires", milliseconds_of(token.expires));
  workspace.io().print(object.to_text() + "\n");
  return kDone;
}

}  // namespace

int run_token(const TokenCommand& command, Workspace& workspace) {
  const auto done = command.helper     ? helper_token(command, workspace)
                    : command.identity ? identity_token_of(command, workspace)
                                       : token(command, workspace);
  return done ? *done : report(workspace, done.error());
}

}  // namespace berth::cli
