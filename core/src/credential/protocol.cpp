// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/protocol.hpp"

#include <fmt/format.h>

#include "berth/base/try.hpp"
#include "berth/credential/server_key.hpp"

#include "credential/json_text.hpp"

namespace berth::credential {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

/// What is no string is somebody's mistake; what is absent or null is an empty one, as for Go.
Result<std::string> string_member(const json& object, std::string_view member,
                                  std::string_view source) {
  const json* value = find_ignoring_case(object, member);
  if (value == nullptr || value->is_null()) return std::string();
  if (!value->is_string()) {
    return Error(Errc::corrupt, fmt::format("{} gave a {} that is not a string", source, member));
  }
  return value->get<std::string>();
}

Result<json> parse_object(std::string_view text, std::string_view source) {
  json value = TRY(parse_json(text, source, true));
  if (!value.is_object()) {
    return Error(Errc::corrupt,
                 fmt::format("{} must be a JSON object, not {}", source, value.type_name()));
  }
  return value;
}

std::string line_of(const ordered_json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string protocol_user(const Credential& credential) {
  return credential.identity_token.empty() ? credential.username : std::string(kTokenUser);
}

Secret protocol_secret(const Credential& credential) {
  return credential.identity_token.empty() ? credential.password : credential.identity_token;
}

Credential from_protocol(std::string username, Secret secret) {
  Credential credential;
  if (username == kTokenUser) {
    credential.identity_token = std::move(secret);
  } else {
    credential.username = std::move(username);
    credential.password = std::move(secret);
  }
  return credential;
}

Result<StoreRequest> parse_store_request(std::string_view text) {
  constexpr std::string_view kSource = "what was given on standard input";
  const json object = TRY(parse_object(text, kSource));
  StoreRequest request;
  request.server_url = TRY(string_member(object, "ServerURL", kSource));
  request.username = TRY(string_member(object, "Username", kSource));
  request.secret = Secret(TRY(string_member(object, "Secret", kSource)));
  if (has_control(request.username)) {
    return Error(Errc::invalid_argument, "the user name has control characters");
  }
  return request;
}

std::string get_answer(std::string_view server_url, const Credential& credential) {
  ordered_json answer;
  answer["ServerURL"] = server_url;
  answer["Username"] = protocol_user(credential);
  answer["Secret"] = protocol_secret(credential).reveal();
  return line_of(answer);
}

std::string list_answer(const std::map<std::string, std::string>& entries) {
  ordered_json answer = ordered_json::object();
  for (const auto& [url, user] : entries) answer[url] = user;
  return line_of(answer);
}

Result<std::optional<Credential>> parse_get_answer(std::string_view output,
                                                   std::string_view program) {
  const json answer = TRY(parse_json(output, fmt::format("the answer of {}", program), true));
  std::string username = TRY(string_member(answer, "Username", program));
  Secret secret(TRY(string_member(answer, "Secret", program)));
  if (username.empty() && secret.empty()) return std::optional<Credential>();
  if (username.empty() || has_control(username)) {
    return Error(Errc::corrupt,
                 fmt::format("{} gave a secret without a usable user name", program));
  }
  Credential credential = from_protocol(std::move(username), std::move(secret));
  // "<token>" without a token.
  if (credential.is_anonymous()) return std::optional<Credential>();
  return std::optional(std::move(credential));
}

Result<std::map<std::string, std::string>> parse_list_answer(std::string_view output,
                                                             std::string_view program) {
  const std::string source = fmt::format("the list of {}", program);
  const json value = TRY(parse_json(output, source, true));
  std::map<std::string, std::string> entries;
  if (value.is_null()) return entries;
  if (!value.is_object()) {
    return Error(Errc::corrupt,
                 fmt::format("{} must be a JSON object, not {}", source, value.type_name()));
  }
  for (const auto& [url, unused] : value.items()) {
    entries[url] = TRY(string_member(value, url, source));
  }
  return entries;
}

}  // namespace berth::credential
