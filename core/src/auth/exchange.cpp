// SPDX-License-Identifier: Apache-2.0
#include "auth/exchange.hpp"

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"
#include "berth/http/policy.hpp"

#include "auth/acr_exchange.hpp"
#include "auth/acr_login.hpp"
#include "auth/refusal.hpp"
#include "auth/token_fetch.hpp"

namespace berth::auth {
namespace {

bool same(const credential::Credential& a, const credential::Credential& b) {
  return a.username == b.username && a.password == b.password &&
         a.identity_token == b.identity_token && a.registry_token == b.registry_token;
}

/// An Azure container registry is asked for tokens at its own origin, whatever it says.
Demand as_acr(Demand demand, const SessionOptions& options) {
  if (options.is_acr && demand.scheme.server) {
    demand.scheme.server->realm = options.registry.with_path("/oauth2/token");
  }
  return demand;
}

bool same(const std::optional<AuthScheme>& a, const AuthScheme& b) {
  return a && a->kind == b.kind && a->server == b.server;
}

}  // namespace

Exchange::Exchange(http::Client& client, credential::Keychain& keychain, TokenCache& tokens,
                   const SessionOptions& options, const Scopes& scopes,
                   const std::string& repository, const Context& context)
    : client_(client),
      keychain_(keychain),
      tokens_(tokens),
      options_(options),
      wanted_(scopes),
      repository_(repository),
      context_(context),
      origin_(options.registry.origin().text()) {}

Result<http::Response> Exchange::run(http::Request request) {
  TRY(authorize_as_remembered(request));
  while (true) {
    http::Response response = TRY(client_.send(request, context_));
    if (response.status != 401) {
      authorization_ = request.authorization;
      return response;
    }
    if (response.url.origin() != options_.registry.origin()) return foreign_401(response);
    const Demand next = TRY(demand(response));
    // It asks as it did: the token server was asked a moment ago.
    if (outdated_ && same(outdated_->first, next.scheme)) return outdated_->second;
    tokens_.remember(origin_, next.scheme);
    tokens_.remember_extra(origin_, wanted_, next.scopes);
    if (!TRY(may_try_again(next))) return refused(response, request.method, next);
    demanded_ = next.scopes;
    TRY(authorize(request, next.scheme));
    if (!shown_.anything) return refused(response, request.method, next);
    drain(response, context_);
  }
}

Result<void> Exchange::authorize_as_remembered(http::Request& request) {
  const auto scheme = tokens_.scheme(origin_);
  if (!scheme) return {};
  TRY(look_up());
  Result<void> done = authorize(request, *scheme);
  if (done || !context_.check()) return done;
  tokens_.forget(origin_);
  outdated_.emplace(*scheme, std::move(done).error());
  request.authorization = Secret();
  shown_ = Shown{};
  return {};
}

Result<void> Exchange::authorize(http::Request& request, const AuthScheme& scheme) {
  request.authorization = Secret();
  shown_ = Shown{};
  shown_.scheme = scheme;
  TRY(look_up());
  if (!lookup_->credential.is_anonymous()) TRY(check_may_show());
  if (!lookup_->credential.registry_token.empty()) {
    request.authorization = Secret("Bearer " + lookup_->credential.registry_token.reveal());
    shown_.anything = true;
    return {};
  }
  if (scheme.kind == AuthScheme::Kind::basic) return authorize_basic(request);
  return authorize_bearer(request, *scheme.server);
}

Result<void> Exchange::authorize_basic(http::Request& request) {
  const credential::Credential& credential = lookup_->credential;
  if (credential.is_anonymous()) return {};
  if (credential.username.empty()) {
    return Error(
        Errc::unauthenticated,
        fmt::format("{} asks for a user name and password, but {} holds an identity token: "
                    "run `docker login {}` or `podman login {}`",
                    options_.name, credential.source, options_.name, options_.name));
  }
  request.authorization = basic_authorization(credential);
  shown_.anything = true;
  return {};
}

Result<void> Exchange::authorize_bearer(http::Request& request, const TokenServer& server) {
  Scopes all = tokens_.with_extra(origin_, wanted_);
  all.add(demanded_);
  const TokenCache::Issued issued = TRY(token_for(server, all));
  request.authorization = Secret("Bearer " + issued.token.value.reveal());
  shown_.anything = true;
  shown_.was_cached = !issued.fresh;
  shown_.token = issued.token.value;
  shown_.asked = all;
  return {};
}

/// A helper's answer may be older than what the token server still takes: asked once more, then.
Result<TokenCache::Issued> Exchange::token_for(const TokenServer& server, const Scopes& all) {
  if (is_by_identity()) return ask_identity(server, all);
  Result<TokenCache::Issued> issued = ask_for_token(server, all);
  if (issued || issued.error().code() != Errc::unauthenticated) return issued;
  if (TRY(has_new_credential())) issued = ask_for_token(server, all);
  if (!issued && issued.error().code() == Errc::unauthenticated && turn_to_identity(true)) {
    return ask_identity(server, all);
  }
  if (issued || issued.error().code() != Errc::unauthenticated) return issued;
  Error cause = std::move(issued).error();
  Refusal why = refusal_of(all);
  why.token_server = text::escape_for_terminal(server.realm.origin().text());
  Error refusal = refusal_error(why);
  if (const HttpInfo* http = cause.http()) refusal = std::move(refusal).with_http(*http);
  return std::move(refusal).because(std::move(cause));
}

Result<TokenCache::Issued> Exchange::ask_for_token(const TokenServer& server, const Scopes& all) {
  const TokenServerRequest request{.registry = options_,
                                   .server = server,
                                   .credential = lookup_->credential,
                                   .scopes = ordered_scopes(all, demanded_)};
  return tokens_.get(
      identity_key(server), all, rejected_, [&] { return fetch_token(client_, request, context_); },
      context_);
}

/// That nobody is there to ask is the end of the search: the registry's 401, with all that was
/// tried.
Result<TokenCache::Issued> Exchange::ask_identity(const TokenServer& server, const Scopes& all) {
  Result<TokenCache::Issued> issued =
      exchange_at(server).access_token(all, ordered_scopes(all, demanded_), rejected_, context_);
  if (issued || issued.error().code() != Errc::not_found) return issued;
  no_identity_ =
      credential::Tried{.source = "Microsoft Entra ID", .outcome = issued.error().message()};
  by_identity_ = false;
  // It was passed over only because it is refused elsewhere.
  tokens_.forget_refusals(origin_);
  if (options_.anonymous_first && !nobody_refused_) return token_for(server, all);
  return refusal_error(refusal_of(wanted_));
}

Refusal Exchange::refusal_of(const Scopes& scopes) const {
  Refusal refusal{.registry = options_.name,
                  .lookup = lookup_.value_or(credential::Lookup()),
                  .scopes = scopes};
  if (no_identity_) refusal.lookup.tried.push_back(*no_identity_);
  refusal.entra = options_.token_credential != nullptr;
  return refusal;
}

std::string Exchange::identity_key(const TokenServer& server) const {
  const credential::Credential& credential = lookup_->credential;
  const std::string realm = server.realm.text();
  return tokens_.identity_key({origin_, realm, server.service, credential.username,
                               credential.password.reveal(), credential.identity_token.reveal()});
}

/// GCR answers some requests with a bare 401: then what it last asked for counts, or what it asks
/// for when greeted.
Result<Demand> Exchange::demand(http::Response& response) {
  auto demand = TRY(demand_of(response, options_.name));
  if (demand) return as_acr(*std::move(demand), options_);
  if (const auto known = tokens_.scheme(origin_)) return Demand{.scheme = *known, .scopes = {}};
  return demand_of_ping();
}

Result<Demand> Exchange::demand_of_ping() {
  http::Request ping;
  ping.url = options_.registry.with_path("/v2/");
  ping.connection = options_.connection;
  ping.allow_plain_http = options_.plain_http_allowed;
  http::Response response = TRY(client_.send(std::move(ping), context_));
  if (response.status == 401 && response.url.origin() == options_.registry.origin()) {
    auto demand = TRY(demand_of(response, options_.name));
    drain(response, context_);
    if (demand) return as_acr(*std::move(demand), options_);
  }
  return Error(Errc::unauthenticated,
               fmt::format("{} answers 401 and does not say how to log in (no WWW-Authenticate): a "
                           "proxy in between may have taken it out",
                           options_.name));
}

Result<bool> Exchange::may_try_again(const Demand& next) {
  if (TRY(has_something_new(next))) return true;
  if (turn_to_identity(false)) return true;
  return has_new_rights(next);
}

Result<bool> Exchange::has_new_rights(const Demand& next) {
  if (!is_by_identity() || !shown_.anything || !next.insufficient_scope || !next.scheme.server) {
    return false;
  }
  if (std::exchange(renewed_rights_, true)) return false;
  rejected_ = shown_.token;
  return exchange_at(*next.scheme.server).renew_rights(context_);
}

AcrExchange Exchange::exchange_at(const TokenServer& server) const {
  return {client_, tokens_, options_,
          server.service.empty() ? service_name(options_) : server.service};
}

bool Exchange::is_by_identity() const {
  return by_identity_ && lookup_ && lookup_->credential.is_anonymous();
}

bool Exchange::turn_to_identity(bool everything) {
  const bool nobody = lookup_ && lookup_->credential.is_anonymous();
  if (by_identity_ || !nobody || options_.token_credential == nullptr) return false;
  nobody_refused_ = true;
  if (no_identity_) return false;
  tokens_.remember_refusal(origin_, wanted_, everything);
  by_identity_ = true;
  tried_again_ = false;
  rejected_ = Secret();
  return true;
}

Result<bool> Exchange::has_something_new(const Demand& next) {
  if (!shown_.anything && !shown_.scheme) return true;  // nothing was asked for before
  if (!same(shown_.scheme, next.scheme)) return !std::exchange(tried_again_, true);
  if (std::exchange(tried_again_, true)) return false;
  rejected_ = shown_.token;
  // A fresh token for everything that is asked for will not get better by asking again.
  if (shown_.was_cached) {
    TRY(has_new_credential());
    return true;
  }
  if (next.scheme.kind == AuthScheme::Kind::bearer && !shown_.asked.contains(next.scopes)) {
    return true;
  }
  return has_new_credential();
}

/// Looks again: files may have changed, helpers renew what they give out.
Result<bool> Exchange::has_new_credential() {
  const std::optional<credential::Lookup> before = std::move(lookup_);
  lookup_.reset();
  keychain_.forget_helper_answers(options_.name);
  TRY(look_up());
  return !before || !same(before->credential, lookup_->credential);
}

Result<void> Exchange::look_up() {
  if (lookup_) return {};
  lookup_ = TRY(keychain_.find(options_.name, repository_, context_));
  if (options_.is_acr) drop_lapsed_token(*lookup_, client_.clock().now());
  const bool at_once = !options_.anonymous_first || tokens_.refuses_nobody(origin_, wanted_);
  by_identity_ = by_identity_ || (options_.token_credential != nullptr && at_once);
  return {};
}

Result<void> Exchange::check_may_show() const {
  Result<void> fine =
      http::url_policy::check_plain_http(options_.registry, options_.plain_http_allowed);
  if (fine) return {};
  return Error(std::move(fine).error())
      .with_context(fmt::format("sending the credentials of {} (from {}) over plain http",
                                options_.name, lookup_->credential.source));
}

Error Exchange::refused(http::Response& response, std::string_view method,
                        const Demand& last) const {
  const Error plain =
      http::error_from(response, method, options_.name, client_.clock().now(), context_);
  Refusal why = refusal_of(wanted_);
  why.insufficient_scope = last.insufficient_scope;
  why.said = last.error;
  if (is_by_identity() && shown_.anything && last.scheme.server) {
    const AcrExchange exchange = exchange_at(*last.scheme.server);
    why.identity = exchange.giver();
    why.by_repository = exchange.gives_rights_by_repository(context_);
  }
  Error error = refusal_error(why);
  if (const HttpInfo* http = plain.http()) error = std::move(error).with_http(*http);
  return error;
}

Error Exchange::foreign_401(const http::Response& response) const {
  return {Errc::unauthenticated,
          fmt::format("{} sent this request on to {}, which asks for a login: berth shows the "
                      "credentials of a registry to nobody else",
                      options_.name, text::escape_for_terminal(response.url.origin().text()))};
}

}  // namespace berth::auth
