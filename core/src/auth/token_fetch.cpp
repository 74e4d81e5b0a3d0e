// SPDX-License-Identifier: Apache-2.0
#include "auth/token_fetch.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/jwt.hpp"
#include "berth/http/limits.hpp"
#include "berth/http/policy.hpp"
#include "berth/json/value.hpp"

#include "auth/acr_exchange.hpp"

namespace berth::auth {
namespace {

using credential::read_jwt;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view kClientId = "berth";
/// distribution, spec/auth/token.md: "If omitted, this defaults to 60 seconds", and "a token should
/// never be returned with less than 60 seconds to live".
constexpr std::int64_t kLeastLifetime = 60;
/// A token that "lives for ever" is asked for again once a day.
constexpr std::int64_t kMaxLifetime = 24 * 60 * 60;
/// A request that carries a token is on its way for a while: a new one is fetched this long before.
constexpr seconds kMargin{30};

std::string query_value(std::string_view text) { return text::percent_encode(text); }

/// The realm may have a query of its own (GitLab's has).
http::Url get_url(const TokenServerRequest& request) {
  std::string path = request.server.realm.path_and_query();
  char separator = path.find('?') == std::string::npos ? '?' : '&';
  const auto add = [&](std::string_view name, std::string_view value) {
    path += fmt::format("{}{}={}", separator, name, query_value(value));
    separator = '&';
  };
  if (!request.server.service.empty()) add("service", request.server.service);
  for (const std::string& scope : request.scopes) add("scope", scope);
  return request.server.realm.with_path(path);
}

std::string post_form(const TokenServerRequest& request) {
  std::string scopes;
  for (const std::string& scope : request.scopes) scopes += (scopes.empty() ? "" : " ") + scope;
  return fmt::format("grant_type=refresh_token&service={}&client_id={}&scope={}&refresh_token={}",
                     query_value(request.server.service), kClientId, query_value(scopes),
                     query_value(request.credential.identity_token.reveal()));
}

/// Where the registry's address is not known (a proxy), its name may tell.
std::optional<http::AddressClass> registry_class(const TokenServerRequest& request) {
  if (request.server.registry_peer) return request.server.registry_peer;
  return http::url_policy::classify_host(request.registry.registry.origin().host);
}

/// Plain http was asked for by the registry's name: it goes no further than that host.
bool is_named_for_http(const TokenServerRequest& request) {
  return request.registry.plain_http_allowed &&
         request.server.realm.origin().host == request.registry.registry.origin().host;
}

http::Request base_request(const TokenServerRequest& request) {
  http::Request result;
  result.url = request.server.realm;
  result.headers.add("Accept", "application/json");
  result.connection = http::url_policy::connection_for(
      request.registry.connection, request.registry.registry, request.server.realm);
  result.allow_plain_http = is_named_for_http(request);
  result.forbidden_addresses = http::url_policy::forbidden_for_realm(registry_class(request));
  return result;
}

bool shows_secret(const credential::Credential& credential) { return !credential.is_anonymous(); }

/// DESIGN section 5: which realm may be asked at all, and which may see a secret.
Result<void> check_server(const TokenServerRequest& request) {
  const http::Url& registry = request.registry.registry;
  const http::Url& realm = request.server.realm;
  const std::string name = request.registry.name;
  if (auto fine = http::url_policy::check_realm(registry, realm, request.server.registry_peer);
      !fine) {
    return Error(std::move(fine).error()).with_context("the token server that " + name + " names");
  }
  if (!shows_secret(request.credential)) return {};
  if (!http::url_policy::realm_may_see_password(registry, realm)) {
    return Error(Errc::untrusted,
                 fmt::format("{} asks to send its credentials (from {}) to {}, a host that is not "
                             "known to belong to it; nothing was sent",
                             name, request.credential.source,
                             text::escape_for_terminal(realm.origin().text())));
  }
  if (auto fine = http::url_policy::check_plain_http(realm, is_named_for_http(request)); !fine) {
    return Error(std::move(fine).error())
        .with_context("sending credentials to the token server of " + name);
  }
  return {};
}

std::string operation(const TokenServerRequest& request) {
  return fmt::format("token for {} from {}", request.registry.name,
                     text::escape_for_terminal(request.server.realm.redacted()));
}

/// What a token server says about itself or the account is not what the registry says about what
/// was asked of it: "not found" would make a tag be forgotten.
Error refusal(http::Response& response, std::string_view method, const TokenServerRequest& request,
              const http::Client& client, const Context& context) {
  Error error = http::error_from(response, method, operation(request), client.clock().now(),
                                 context, http::Login::elsewhere);
  const HttpInfo info = *error.http();
  if (error.code() == Errc::not_found) {
    return Error(Errc::denied,
                 fmt::format("{}: the token server has nothing at the address that the registry "
                             "sends its clients to (HTTP {}); its configuration may be wrong",
                             operation(request), info.status))
        .with_http(info);
  }
  // RFC 6749 section 5.2: the refresh token expired, was revoked, or is somebody else's.
  if (info.registry_code == "invalid_grant") {
    return Error(Errc::unauthenticated, error.message()).with_http(info);
  }
  return error;
}

Result<Token> take_token(Result<http::Response> answer, std::string_view method,
                         const TokenServerRequest& request, http::Client& client,
                         const Context& context) {
  http::Response response = TRY(std::move(answer));
  if (response.status != 200) return refusal(response, method, request, client, context);
  Result<std::string> body = http::read_all(*response.body, http::limits::kTokenBody, context);
  if (!body) return Error(std::move(body).error()).with_context(operation(request));
  Result<Token> token = parse_token(*body, client.clock().now());
  if (!token) return Error(std::move(token).error()).with_context(operation(request));
  return token;
}

Result<Token> get_token(http::Client& client, const TokenServerRequest& request,
                        const Context& context) {
  http::Request get = base_request(request);
  get.url = get_url(request);
  if (!request.credential.username.empty()) {
    get.authorization = basic_authorization(request.credential);
  }
  return take_token(client.send(std::move(get), context), "GET", request, client, context);
}

/// Statuses by which GCR, ACR, Artifactory and old servers say that they have no POST.
bool has_no_post(const Error& error) {
  const HttpInfo* http = error.http();
  if (http == nullptr) return false;
  return http->status == 400 || http->status == 401 || http->status == 404 || http->status == 405;
}

Result<Token> post_token(http::Client& client, const TokenServerRequest& request,
                         const Context& context) {
  http::Request post = base_request(request);
  post.method = "POST";
  post.headers.add("Content-Type", "application/x-www-form-urlencoded");
  post.body = post_form(request);
  post.repeatable = true;  // it changes nothing but who holds a token
  return take_token(client.send(std::move(post), context), "POST", request, client, context);
}

/// Printable ASCII: it becomes a header's value.
bool is_header_safe(std::string_view token) {
  return std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

Token with_lifetime(Secret value, Clock::SystemTime from, seconds lifetime) {
  const milliseconds margin = std::min<milliseconds>(kMargin, lifetime / 10);
  return {.value = std::move(value),
          .refresh_at = from + lifetime - margin,
          .expires = from + lifetime};
}

/// Servers that cache hand out tokens that have lived for a while. An issued_at in the future, or
/// before the token's whole life, tells of clocks that differ, not of the token.
Clock::SystemTime start_of_life(std::string_view issued_at, Clock::SystemTime now,
                                seconds lifetime) {
  const std::optional<long long> issued = text::parse_rfc3339(issued_at);
  if (!issued) return now;
  const Clock::SystemTime start = std::chrono::system_clock::from_time_t(*issued);
  return start < now && now - start < lifetime ? start : now;
}

}  // namespace

std::vector<std::string> ordered_scopes(const Scopes& all, const Scopes& first) {
  std::vector<std::string> result;
  std::vector<std::string> others;
  const std::vector<std::string> wanted = first.list();
  for (std::string& scope : all.list()) {
    const Scopes one = Scopes::parse(scope);
    const bool goes_first = std::any_of(
        wanted.begin(), wanted.end(),
        [&](const std::string& missing) { return one.contains(Scopes::parse(missing)); });
    (goes_first ? result : others).push_back(std::move(scope));
  }
  for (std::string& scope : others) result.push_back(std::move(scope));
  return result;
}

Secret basic_authorization(const credential::Credential& credential) {
  const std::string pair = credential.username + ":" + credential.password.reveal();
  return Secret("Basic " + text::to_base64(as_bytes(pair)));
}

Result<Token> parse_token(std::string_view body, Clock::SystemTime now) {
  const json::Document document =
      TRY(json::Document::parse(body, {.bytes = http::limits::kTokenBody, .depth = 16}));
  const json::Value root = document.root();
  std::string value = TRY(root.string_or_empty("token"));
  if (value.empty()) value = TRY(root.string_or_empty("access_token"));
  if (value.empty()) return Error(Errc::corrupt, "the answer holds no token");
  if (!is_header_safe(value)) return Error(Errc::corrupt, "the token has forbidden characters");
  std::int64_t lifetime = kLeastLifetime;
  if (!root.find("expires_in")) {
    // Azure's says it in the token alone.
    const auto claims = read_jwt(value);
    if (claims && claims->expires) return token_of_jwt(Secret(std::move(value)), now);
  }
  if (const auto given = root.find("expires_in")) {
    // Some servers write it as a string or a fraction: the default serves as well.
    const Result<std::int64_t> number = given->as_int();
    if (number) lifetime = std::clamp(*number, kLeastLifetime, kMaxLifetime);
  }
  const seconds life(lifetime);
  const auto issued = root.find("issued_at");
  const Result<std::string_view> text = issued ? issued->as_string() : std::string_view();
  const Clock::SystemTime start = start_of_life(text ? *text : std::string_view(), now, life);
  return with_lifetime(Secret(std::move(value)), start, life);
}

Result<Token> fetch_token(http::Client& client, const TokenServerRequest& request,
                          const Context& context) {
  TRY(check_server(request));
  const credential::Credential& credential = request.credential;
  if (credential.identity_token.empty()) return get_token(client, request, context);
  Result<Token> token = post_token(client, request, context);
  const bool has_password = !credential.username.empty() && !credential.password.empty();
  if (token || !has_password || !has_no_post(token.error())) return token;
  return get_token(client, request, context);
}

}  // namespace berth::auth
