// SPDX-License-Identifier: Apache-2.0
// The token service of Azure Container Registry: an Entra ID token is exchanged for a refresh token
// of the registry, that for access tokens. Refusals are a 401 without a word, as the service's are.
#include <algorithm>

#include <openssl/evp.h>

#include "support/fake_registry_impl.hpp"
#include "support/jwt.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kNobody = "00000000-0000-0000-0000-000000000000";

/// "Basic dXNlcjpwYXNz" as "user:pass".
std::string basic_pair(const std::string& authorization) {
  if (!authorization.starts_with("Basic ")) return {};
  const std::string text = authorization.substr(6);
  std::string out(text.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0) return {};
  const auto padding = static_cast<std::size_t>(std::ranges::count(text, '='));
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

HttpReply refused() { return {.status = 401}; }

bool is_denied_there(const std::map<std::string, std::set<std::string>>& denials,
                     const std::string& scope) {
  return std::ranges::any_of(denials, [&](const auto& denial) {
    const std::string prefix = "repository:" + denial.first + ":";
    return scope.starts_with(prefix) && denial.second.contains(scope.substr(prefix.size()));
  });
}

/// The claim of that name: [{"type":"repository","name":"a","actions":["pull","push"]}].
Json access_claim(const std::set<std::string>& scopes) {
  Json access = Json::array();
  std::string before;
  for (const std::string& scope : scopes) {
    const std::size_t first = scope.find(':');
    const std::size_t last = scope.rfind(':');
    const std::string resource = scope.substr(0, last);
    if (resource != before) {
      access.push_back({{"type", scope.substr(0, first)},
                        {"name", resource.substr(first + 1)},
                        {"actions", Json::array()}});
    }
    access.back()["actions"].push_back(scope.substr(last + 1));
    before = resource;
  }
  return access;
}

}  // namespace

HttpReply FakeRegistry::Impl::serve_oauth2(const HttpRequest& request, const std::string& path) {
  HttpRequest form;
  form.target = "?" + request.body;
  if (path == "/oauth2/exchange" && request.method == "POST") return exchange_entra_token(form);
  if (path != "/oauth2/token") return {.status = 404, .body = "Not found"};
  std::vector<std::string> scopes;
  if (request.method == "GET") {
    for (const auto& scope : request.queries("scope")) {
      for (auto& single : single_scopes(scope)) scopes.push_back(std::move(single));
    }
    if (!request.has_header("Authorization")) {
      return behaviour.anonymous_pull ? give_acr_token(scopes, false, nullptr) : refused();
    }
    // docker's way to use a refresh token: as the password of nobody.
    const std::string pair = basic_pair(request.header("Authorization"));
    const std::string nobody = std::string(kNobody) + ":";
    if (pair.starts_with(nobody)) {
      const RefreshToken* known = find_refresh_token(pair.substr(nobody.size()));
      return known != nullptr ? give_acr_token(scopes, true, known) : refused();
    }
    return is_user(request) ? give_acr_token(scopes, true, nullptr) : refused();
  }
  scopes = single_scopes(form.query("scope"));
  if (form.query("service") != registry->host()) return refused();
  const std::string grant = form.query("grant_type");
  if (grant == "refresh_token") {
    const RefreshToken* known = find_refresh_token(form.query("refresh_token"));
    return known != nullptr ? give_acr_token(scopes, true, known) : refused();
  }
  if (grant != "password") return refused();
  if (form.query("username").empty()) {
    return behaviour.anonymous_pull ? give_acr_token(scopes, false, nullptr) : refused();
  }
  const bool user =
      form.query("username") == behaviour.username && form.query("password") == behaviour.password;
  return user ? give_acr_token(scopes, true, nullptr) : refused();
}

const FakeRegistry::Impl::RefreshToken* FakeRegistry::Impl::find_refresh_token(
    const std::string& token) const {
  const auto known = refresh_tokens.find(token);
  return known != refresh_tokens.end() && known->second.end > unix_time() ? &known->second
                                                                          : nullptr;
}

HttpReply FakeRegistry::Impl::exchange_entra_token(const HttpRequest& form) {
  if (form.query("grant_type") != "access_token") return refused();
  if (form.query("service") != registry->host()) return refused();
  if (!behaviour.entra_tokens.contains(form.query("access_token"))) return refused();
  const std::string tenant = form.query("tenant");
  if (!behaviour.tenant.empty() && !tenant.empty() && tenant != behaviour.tenant) return refused();
  const std::int64_t now = unix_time();
  const std::int64_t end = now + behaviour.refresh_token_seconds;
  Json claims{{"jti", "refresh-" + std::to_string(++numbers)},
              {"sub", "11111111-2222-3333-4444-555555555555"},
              {"nbf", now - 900},
              {"exp", end},
              {"iat", now},
              {"iss", "Azure Container Registry"},
              {"aud", registry->host()},
              {"version", "1.0"},
              {"grant_type", "refresh_token"}};
  if (behaviour.abac) claims["aad_identity"] = "11111111-2222-3333-4444-555555555555";
  const std::string token = unsigned_jwt(claims);
  refresh_tokens[token] = {end, behaviour.entra_actions};
  return json_reply(200, {{"refresh_token", token}});
}

/// A token for what of the asked may be granted; `all` to a login, what can be read to anybody.
HttpReply FakeRegistry::Impl::give_acr_token(const std::vector<std::string>& asked, bool all,
                                             const RefreshToken* entra) {
  std::set<std::string> scopes;
  for (const std::string& scope : asked) {
    const std::string action = scope.substr(scope.rfind(':') + 1);
    const bool wildcard = scope.starts_with("repository:*:");
    if (!all && action != "pull" && action != "metadata_read") continue;
    if (entra != nullptr && !entra->actions.contains(action)) continue;
    const auto& user = behaviour.user_actions;
    if (entra == nullptr && user && !user->contains(action)) continue;
    if (entra != nullptr && behaviour.abac && wildcard) continue;
    const auto& denials = entra != nullptr ? behaviour.entra_denials : behaviour.user_denials;
    if (is_denied_there(denials, scope)) continue;
    scopes.insert(scope);
  }
  const std::int64_t now = unix_time();
  const std::int64_t end = now + behaviour.token_seconds;
  const std::string token = unsigned_jwt({{"jti", "access-" + std::to_string(++numbers)},
                                          {"exp", end},
                                          {"iat", now},
                                          {"iss", "Azure Container Registry"},
                                          {"aud", registry->host()},
                                          {"access", access_claim(scopes)},
                                          {"grant_type", "access_token"}});
  given_tokens[token] = {std::move(scopes), end, {asked.begin(), asked.end()}};
  return json_reply(200, {{"access_token", token}});
}

}  // namespace berth::test
