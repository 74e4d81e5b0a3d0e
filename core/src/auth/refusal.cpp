// SPDX-License-Identifier: Apache-2.0
#include "auth/refusal.hpp"

#include <fmt/format.h>

#include "berth/base/text.hpp"

namespace berth::auth {
namespace {

std::string shown_account(const credential::Credential& credential) {
  const std::string source = text::escape_for_terminal(credential.source);
  if (!credential.registry_token.empty()) return fmt::format("the registry token from {}", source);
  if (!credential.identity_token.empty()) return fmt::format("the identity token from {}", source);
  return fmt::format("user {} (from {})", text::escape_for_terminal(credential.username), source);
}

std::string login_hint(const Refusal& refusal) {
  return fmt::format("{1}`docker login {0}` or `podman login {0}`", refusal.registry,
                     refusal.entra ? "`az login`, " : "");
}

std::string tried_list(const credential::Lookup& lookup) {
  std::string list;
  for (const credential::Tried& step : lookup.tried) {
    list += fmt::format("{}{} ({})", list.empty() ? "; tried: " : ", ",
                        text::escape_for_terminal(step.source),
                        text::escape_for_terminal(step.outcome));
  }
  return list;
}

/// What one can do about it is in the hands of whoever gives roles.
std::string identity_sentence(const Refusal& refusal) {
  const std::string what = refusal.scopes.empty() ? "what was asked for" : refusal.scopes.text();
  std::string text = fmt::format(
      "{} knows the Entra ID identity (of {}) and does not give it {}: it needs a role there that "
      "has it (AcrPull, AcrPush, AcrDelete), or there is no such repository",
      refusal.registry, refusal.identity, what);
  if (!refusal.by_repository) return text;
  text +=
      "; this registry gives rights by repository (ABAC), by the Container Registry Repository "
      "roles";
  if (!refusal.scopes.wildcards().empty()) text += ", and drops wildcards: name each one";
  if (refusal.scopes.text().find("registry:catalog:") != std::string::npos) {
    text += ": to list repositories takes the Catalog Lister";
  }
  return text;
}

std::string said(const Refusal& refusal) {
  if (refusal.said.empty()) return {};
  return fmt::format("; the registry says {}", text::escape_for_terminal(refusal.said));
}

std::string sentence(const Refusal& refusal) {
  if (!refusal.identity.empty()) return identity_sentence(refusal);
  const credential::Credential& credential = refusal.lookup.credential;
  const std::string hint = login_hint(refusal);
  const std::string what =
      refusal.scopes.empty() ? "" : fmt::format(" for {}", refusal.scopes.text());
  if (credential.is_anonymous()) {
    return fmt::format("{} asks for a login{}, and no credentials for it were found: run {}",
                       refusal.registry, what, hint);
  }
  const std::string account = shown_account(credential);
  if (refusal.insufficient_scope) {
    return fmt::format(
        "{} refused {}{}: the account lacks that right, or there is no such "
        "repository",
        refusal.registry, account, what);
  }
  const std::string who =
      refusal.token_server.empty()
          ? refusal.registry
          : fmt::format("{}, the token server of {},", refusal.token_server, refusal.registry);
  if (!credential.registry_token.empty() || !credential.identity_token.empty()) {
    return fmt::format("{} refused {}: it may have expired; run {}", who, account, hint);
  }
  return fmt::format("{} refused {}: check the password, or run {}", who, account, hint);
}

}  // namespace

Error refusal_error(const Refusal& refusal) {
  // An account that the registry knows is not helped by another password. Nor is an identity, once
  // the registry took it: what is refused then is a right.
  const bool known = !refusal.identity.empty() ||
                     (refusal.insufficient_scope && !refusal.lookup.credential.is_anonymous());
  return {known ? Errc::denied : Errc::unauthenticated,
          sentence(refusal) + said(refusal) + tried_list(refusal.lookup)};
}

}  // namespace berth::auth
