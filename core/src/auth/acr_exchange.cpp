// SPDX-License-Identifier: Apache-2.0
#include "auth/acr_exchange.hpp"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/jwt.hpp"
#include "berth/http/limits.hpp"
#include "berth/http/policy.hpp"
#include "berth/json/value.hpp"

namespace berth::auth {
namespace {

using credential::JwtClaims;
using credential::read_jwt;
using std::chrono::seconds;

/// A token without claims that berth can read is asked for again this soon.
constexpr seconds kUnknownLife{300};
constexpr seconds kMaxLife{24 * 60 * 60};
/// A clock that is off by more than this makes Entra ID's tokens look expired, or not yet valid.
constexpr seconds kClockTolerance{300};
/// az and pwsh take seconds, and the registry its own: who waits for another process that asks for
/// the same waits longer than for a token of a scope.
constexpr seconds kExchangePatience{60};
/// Who lacks a right is refused each time: the exchange is not repeated as often.
constexpr seconds kFreshRights{300};

std::string form_value(std::string_view text) { return text::percent_encode(text); }

bool is_header_safe(std::string_view token) {
  return !token.empty() && std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; });
}

/// Asking again changes nothing but who holds a token, POST or not.
Error may_repeat(Error error) {
  const int status = error.http()->status;
  return std::move(error).retryable(status == 429 || status >= 500);
}

/// "the clock of this machine is 2 h behind": nothing when it is right.
std::string about_the_clock(const http::Response& response, Clock::SystemTime now) {
  const std::string* date = response.headers.find("Date");
  // What Retry-After would mean at the beginning of time: the date itself.
  const auto there =
      date == nullptr ? std::nullopt : http::parse_retry_after(*date, Clock::SystemTime());
  if (!there) return {};
  const auto off = std::chrono::duration_cast<seconds>(now.time_since_epoch() - *there);
  if (std::abs(off.count()) <= kClockTolerance.count()) return {};
  return fmt::format("the clock of this machine is {} s {} the registry's: set it right; ",
                     std::abs(off.count()), off.count() > 0 ? "ahead of" : "behind");
}

}  // namespace

Token token_of_jwt(Secret value, Clock::SystemTime now) {
  const auto claims = read_jwt(value.reveal());
  seconds life = kUnknownLife;
  if (claims && claims->expires) {
    const seconds left(*claims->expires - std::chrono::system_clock::to_time_t(now));
    const bool whole = claims->issued && *claims->issued < *claims->expires;
    life = whole ? seconds(*claims->expires - *claims->issued) : left;
    // It was made just now: one that seems to have ended tells of a clock that is ahead.
    if (left.count() > 0) life = std::min(life, left);
    life = std::clamp(life, seconds(1), kMaxLife);
  }
  const auto margin = std::min<seconds>(seconds(30), life / 10);
  return {.value = std::move(value), .refresh_at = now + life - margin, .expires = now + life};
}

AcrExchange::AcrExchange(http::Client& client, TokenCache& tokens, const SessionOptions& options,
                         std::string service)
    : client_(client),
      tokens_(tokens),
      options_(options),
      service_(std::move(service)) {}

std::string AcrExchange::key(std::string_view kind) const {
  const std::string origin = options_.registry.origin().text();
  return tokens_.identity_key({"entra", kind, origin, service_, options_.audience,
                               options_.token_credential->name(),
                               options_.token_credential->identity_key()});
}

std::string AcrExchange::giver() const {
  const std::string known = tokens_.giver(key("refresh"));
  return known.empty() ? options_.token_credential->name() : known;
}

Result<TokenCache::Issued> AcrExchange::refresh_token(const Secret& rejected,
                                                      const Context& context) const {
  return tokens_.get(
      key("refresh"), Scopes(), rejected, [&] { return exchange(context); }, context,
      kExchangePatience);
}

Result<bool> AcrExchange::renew_rights(const Context& context) const {
  const auto held = TRY(refresh_token(Secret(), context));
  // It is renewed at half its life, so that is how old it is.
  const auto made = held.token.refresh_at - (held.token.expires - held.token.refresh_at);
  if (held.fresh || client_.clock().now() - made < kFreshRights) return false;
  // The one that is there stays until there is a better one.
  Result<Token> better = exchange(context);
  TRY(context.check());
  if (!better) return false;
  TRY(tokens_.get(
      key("refresh"), Scopes(), held.token.value, [&] { return better; }, context,
      kExchangePatience));
  return true;
}

bool AcrExchange::gives_rights_by_repository(const Context& context) const {
  const auto held = refresh_token(Secret(), context);
  const auto claims = held ? read_jwt(held->token.value.reveal()) : Result<JwtClaims>(JwtClaims());
  return claims && claims->by_repository;
}

Result<TokenCache::Issued> AcrExchange::access_token(const Scopes& all,
                                                     const std::vector<std::string>& scopes,
                                                     const Secret& rejected,
                                                     const Context& context) const {
  return tokens_.get(
      key("access"), all, rejected, [&] { return fetch_access_token(scopes, context); }, context);
}

Result<http::Response> AcrExchange::post(std::string_view path, std::string form,
                                         const Context& context) const {
  http::Request post;
  post.method = "POST";
  post.url = options_.registry.with_path(
      fmt::format("{}?api-version={}", path, text::percent_encode(options_.acr_api_version)));
  TRY(http::url_policy::check_plain_http(post.url, options_.plain_http_allowed));
  post.headers.add("Accept", "application/json");
  post.headers.add("Content-Type", "application/x-www-form-urlencoded");
  post.body = std::move(form);
  post.connection = options_.connection;
  post.allow_plain_http = options_.plain_http_allowed;
  post.follow_redirects = false;
  post.repeatable = true;  // it changes nothing but who holds a token
  return client_.send(std::move(post), context);
}

/// The JWT named `member` of an answer of 200.
Result<Token> AcrExchange::take(http::Response& response, std::string_view member,
                                std::string_view what, const Context& context) const {
  const auto body = [&]() -> Result<std::string> {
    const auto text = TRY(http::read_all(*response.body, http::limits::kTokenBody, context));
    const json::Document document =
        TRY(json::Document::parse(text, {.bytes = http::limits::kTokenBody, .depth = 16}));
    return document.root().string_or_empty(member);
  }();
  if (!body) return Error(body.error()).with_context(std::string(what));
  if (!is_header_safe(*body)) {
    return Error(Errc::corrupt, fmt::format("{}: the answer holds no usable {}", what, member));
  }
  return token_of_jwt(Secret(*body), client_.clock().now());
}

Result<Token> AcrExchange::exchange(const Context& context) const {
  TokenCredential& credential = *options_.token_credential;
  auto shown =
      credential.get_token({.scopes = {options_.audience + "/.default"}, .tenant_id = {}}, context);
  if (!shown) return std::move(shown).error();
  const auto claims = read_jwt(shown->token.reveal());
  std::string form = fmt::format("grant_type=access_token&service={}", form_value(service_));
  if (claims && !claims->tenant.empty()) form += "&tenant=" + form_value(claims->tenant);
  form += "&access_token=" + form_value(shown->token.reveal());
  http::Response response = TRY(post("/oauth2/exchange", std::move(form), context));
  if (response.status != 200) return refused_exchange(response, *shown, context);
  const std::string giver = giver_of(*shown, credential);
  Token token = TRY(take(
      response, "refresh_token",
      fmt::format("exchanging the Entra ID token of {} at {}", giver, options_.name), context));
  tokens_.remember_giver(key("refresh"), giver);
  // At half its life: what asks for it then still has hours if the identity has gone meanwhile.
  const auto now = client_.clock().now();
  token.refresh_at = now + (token.expires - now) / 2;
  return token;
}

/// The service refuses without a word (acr.md 2.6): what it can be is said in its place.
Error AcrExchange::refused_exchange(http::Response& response, const AccessToken& shown,
                                    const Context& context) const {
  const auto now = client_.clock().now();
  const std::string clock = about_the_clock(response, now);
  const std::string name = giver_of(shown, *options_.token_credential);
  const std::string what =
      fmt::format("exchanging the Entra ID token of {} at {}", name, options_.name);
  Error plain = http::error_from(response, "POST", what, now, context);
  const HttpInfo info = *plain.http();
  if (info.status == 404 || info.status == 405) {
    return Error(Errc::unsupported,
                 fmt::format("{}: it has no /oauth2/exchange (HTTP {}): it is no Azure container "
                             "registry, or the address is not its own",
                             what, info.status))
        .with_http(info);
  }
  if (info.status == 403) {
    return Error(Errc::denied,
                 fmt::format("{} (a firewall of the registry says so: allow this address in its "
                             "network rules, or go through its private endpoint)",
                             plain.message()))
        .with_http(info);
  }
  if (info.status != 400 && info.status != 401) return may_repeat(std::move(plain));
  const auto claims = read_jwt(shown.token.reveal());
  const std::string tenant =
      claims && !claims->tenant.empty()
          ? fmt::format(
                "the token is of the tenant {}: if the registry is of another one, log in "
                "to that (az login --tenant, AZURE_TENANT_ID)",
                text::escape_for_terminal(claims->tenant))
          : std::string("the token may be of another tenant than the registry");
  return Error(Errc::unauthenticated,
               fmt::format("{} did not take the Entra ID token of {} (HTTP {}{}{}): {}{}; else the "
                           "registry may not take tokens for {}, or the identity may have no role "
                           "there (AcrPull, AcrPush)",
                           options_.name, name, info.status,
                           info.registry_message.empty() ? ", without a reason" : ": ",
                           text::escape_for_terminal(info.registry_message), clock, tenant,
                           text::escape_for_terminal(options_.audience)))
      .with_http(info);
}

Result<Token> AcrExchange::fetch_access_token(const std::vector<std::string>& scopes,
                                              const Context& context) const {
  const auto refresh = TRY(refresh_token(Secret(), context));
  Result<Token> token = ask_for_access(refresh.token.value, scopes, context);
  const bool refused = !token && token.error().code() == Errc::unauthenticated;
  if (!refused || refresh.fresh) return token;
  // The one that was kept may have been withdrawn.
  const auto again = TRY(refresh_token(refresh.token.value, context));
  return ask_for_access(again.token.value, scopes, context);
}

Result<Token> AcrExchange::ask_for_access(const Secret& refresh,
                                          const std::vector<std::string>& scopes,
                                          const Context& context) const {
  std::string joined;
  for (const std::string& scope : scopes) joined += (joined.empty() ? "" : " ") + scope;
  auto form = fmt::format("grant_type=refresh_token&service={}&scope={}&refresh_token={}",
                          form_value(service_), form_value(joined), form_value(refresh.reveal()));
  http::Response response = TRY(post("/oauth2/token", std::move(form), context));
  const std::string what = fmt::format("token of {} for {}", options_.name, joined);
  if (response.status == 200) return take(response, "access_token", what, context);
  const auto now = client_.clock().now();
  const std::string clock = about_the_clock(response, now);
  Error plain = http::error_from(response, "POST", what, now, context);
  const HttpInfo info = *plain.http();
  if (info.status != 400 && info.status != 401) return may_repeat(std::move(plain));
  return Error(Errc::unauthenticated,
               fmt::format("{}: the registry refused the refresh token that it gave to {} (HTTP "
                           "{}): {}its rights there may have been taken away meanwhile",
                           what, giver(), info.status, clock))
      .with_http(info);
}

}  // namespace berth::auth
