// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <sstream>

#include <openssl/evp.h>

#include "support/fake_registry_impl.hpp"

namespace berth::test {
namespace {

std::string base64(const std::string& text) {
  std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

const char* actions_of(const HttpRequest& request) {
  if (request.method == "GET" || request.method == "HEAD") return "pull";
  return request.method == "DELETE" ? "delete" : "pull,push";
}

}  // namespace

std::vector<std::string> single_scopes(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const auto colon = word.rfind(':');
    if (colon == std::string::npos) continue;
    std::istringstream actions(word.substr(colon + 1));
    for (std::string action; std::getline(actions, action, ',');) {
      out.push_back(word.substr(0, colon + 1) + action);
    }
  }
  return out;
}

std::int64_t FakeRegistry::Impl::unix_time() const {
  if (behaviour.unix_time) return behaviour.unix_time();
  return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
}

bool FakeRegistry::Impl::is_user(const HttpRequest& request) const {
  return request.header("Authorization") ==
         "Basic " + base64(behaviour.username + ":" + behaviour.password);
}

bool FakeRegistry::Impl::token_grants(const std::string& token,
                                      const std::vector<std::string>& scopes) {
  const auto found = given_tokens.find(token);
  if (found == given_tokens.end()) return false;
  if (found->second.end <= unix_time()) return false;
  return std::ranges::all_of(
      scopes, [&](const std::string& scope) { return found->second.scopes.contains(scope); });
}

std::optional<HttpReply> FakeRegistry::Impl::refuse(const HttpRequest& request,
                                                    const std::optional<Target>& target) {
  if (behaviour.auth == RegistryBehaviour::Auth::none) return std::nullopt;
  HttpReply refusal = error_reply(401, "UNAUTHORIZED", "authentication required");
  if (behaviour.auth == RegistryBehaviour::Auth::basic) {
    if (is_user(request)) return std::nullopt;
    refusal.set_header("WWW-Authenticate", R"(Basic realm="fake registry")");
    return refusal;
  }
  if (std::exchange(behaviour.refuse_cached_tokens, false)) given_tokens.clear();
  std::string scope;
  if (target) scope = "repository:" + target->repository + ":" + actions_of(request);
  if (request.path() == "/v2/_catalog") scope = "registry:catalog:*";
  const std::string authorization = request.header("Authorization");
  const bool has_token = authorization.starts_with("Bearer ");
  if (has_token && token_grants(authorization.substr(7), single_scopes(scope))) return std::nullopt;
  std::string challenge =
      "Bearer realm=\"" +
      (behaviour.realm.empty() ? tokens->origin() + "/token" : behaviour.realm) +
      "\",service=\"fake-registry\"";
  if (!scope.empty()) challenge += ",scope=\"" + scope + "\"";
  if (has_token) challenge += ",error=\"insufficient_scope\"";
  refusal.set_header("WWW-Authenticate", challenge);
  return refusal;
}

HttpReply FakeRegistry::Impl::serve_token(const HttpRequest& request) {
  const std::lock_guard lock(mutex);
  if (request.path() != "/token") return {.status = 404};
  bool user = false;
  std::vector<std::string> scopes;
  bool wants_refresh = false;
  if (request.method == "POST") {
    if (!behaviour.token_post) return {.status = 404, .body = "404 page not found\n"};
    HttpRequest form;
    form.target = "?" + request.body;
    const std::string grant = form.query("grant_type");
    user = (grant == "refresh_token" &&
            form.query("refresh_token") == "REFRESH-" + behaviour.username) ||
           (grant == "password" && form.query("username") == behaviour.username &&
            form.query("password") == behaviour.password);
    if (!user) return error_reply(401, "UNAUTHORIZED", "wrong credentials");
    scopes = single_scopes(form.query("scope"));
    wants_refresh = form.query("access_type") == "offline";
  } else {
    user = is_user(request);
    const bool anonymous = !request.has_header("Authorization");
    if (!user && !(anonymous && behaviour.anonymous_pull)) {
      return error_reply(401, "UNAUTHORIZED", "wrong credentials");
    }
    for (const auto& scope : request.queries("scope")) {
      for (auto& single : single_scopes(scope)) scopes.push_back(std::move(single));
    }
    wants_refresh = request.query("offline_token") == "true";
  }
  if (!user) std::erase_if(scopes, [](const auto& scope) { return !scope.ends_with(":pull"); });
  const std::string token = "token-" + std::to_string(++numbers);
  given_tokens[token] = {{scopes.begin(), scopes.end()}, unix_time() + behaviour.token_seconds};
  nlohmann::ordered_json answer{{behaviour.token_field, token},
                                {"expires_in", behaviour.token_seconds}};
  if (user && wants_refresh) answer["refresh_token"] = "REFRESH-" + behaviour.username;
  return json_reply(200, answer);
}

}  // namespace berth::test
