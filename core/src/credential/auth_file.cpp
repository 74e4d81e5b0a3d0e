// SPDX-License-Identifier: Apache-2.0
#include "credential/auth_file.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

#include "credential/json_text.hpp"

namespace berth::credential {
namespace {

using nlohmann::json;

Error wrong_type(std::string_view file, std::string_view member, std::string_view wanted,
                 const json& found) {
  return {Errc::corrupt, fmt::format("{}: {} must be {}, not {}", file,
                                     text::escape_for_terminal(member), wanted, found.type_name())};
}

/// A string member; "" when absent or null.
Result<std::string> string_member(const json& object, std::string_view member,
                                  std::string_view file, std::string_view parent) {
  const json* value = find_ignoring_case(object, member);
  if (value == nullptr || value->is_null()) return std::string();
  if (!value->is_string()) {
    return wrong_type(file, fmt::format("{}.{}", parent, member), "a string", *value);
  }
  return value->get<std::string>();
}

Result<AuthEntry> parse_entry(const std::string& key, const json& value, std::string_view file) {
  if (!value.is_object() && !value.is_null()) {
    return wrong_type(file, fmt::format("auths.\"{}\"", key), "an object", value);
  }
  const std::string parent = fmt::format("auths.\"{}\"", key);
  AuthEntry entry{.key = key};
  if (value.is_null()) return entry;
  entry.auth = Secret(TRY(string_member(value, "auth", file, parent)));
  entry.username = TRY(string_member(value, "username", file, parent));
  entry.password = Secret(TRY(string_member(value, "password", file, parent)));
  entry.identity_token = Secret(TRY(string_member(value, "identitytoken", file, parent)));
  entry.registry_token = Secret(TRY(string_member(value, "registrytoken", file, parent)));
  return entry;
}

Result<std::vector<AuthEntry>> parse_auths(const json& object, std::string_view file) {
  std::vector<AuthEntry> entries;
  for (const auto& [key, value] : object.items()) {
    entries.push_back(TRY(parse_entry(key, value, file)));
  }
  return entries;
}

Result<AuthFile> parse_config(const json& root, std::string_view file) {
  AuthFile result;
  const json* auths = find_ignoring_case(root, "auths");
  if (auths != nullptr && !auths->is_null()) {
    if (!auths->is_object()) return wrong_type(file, "auths", "an object", *auths);
    result.auths = TRY(parse_auths(*auths, file));
  }
  const json* helpers = find_ignoring_case(root, "credHelpers");
  if (helpers != nullptr && !helpers->is_null()) {
    if (!helpers->is_object()) return wrong_type(file, "credHelpers", "an object", *helpers);
    for (const auto& [host, unused] : helpers->items()) {
      result.cred_helpers[host] = TRY(string_member(*helpers, host, file, "credHelpers"));
    }
  }
  result.creds_store = TRY(string_member(root, "credsStore", file, "the file's"));
  return result;
}

Error bad_auth(std::string_view source, std::string_view key, std::string_view why) {
  return {Errc::corrupt,
          fmt::format("{}: the `auth` of {} {}: log in to it again (docker login, podman login)",
                      source, text::escape_for_terminal(key), why)};
}

/// base64 of user:password, split at the first colon; old docker versions padded with NULs.
Result<void> decode_auth(const AuthEntry& entry, std::string_view source, Credential& credential) {
  const Result<std::string> decoded = text::from_base64(text::trim(entry.auth.reveal()));
  if (!decoded) return bad_auth(source, entry.key, "is not base64");
  const std::size_t colon = decoded->find(':');
  if (colon == std::string::npos) {
    return bad_auth(source, entry.key, "has no colon between user name and password");
  }
  if (colon == 0) return bad_auth(source, entry.key, "has no user name");
  std::string password = decoded->substr(colon + 1);
  while (!password.empty() && password.back() == '\0') password.pop_back();
  credential.username = decoded->substr(0, colon);
  credential.password = Secret(std::move(password));
  return {};
}

}  // namespace

bool AuthFile::holds_secret() const noexcept {
  return std::any_of(auths.begin(), auths.end(), [](const auto& e) { return e.holds_secret(); });
}

Result<AuthFile> parse_auth_file(std::string_view text, AuthFileForm form, std::string_view name) {
  if (text::trim(text).empty()) return AuthFile{};
  const json root = TRY(parse_json(text, name));
  if (!root.is_object()) {
    return Error(Errc::corrupt,
                 fmt::format("{} must hold a JSON object, not {}", name, root.type_name()));
  }
  if (form == AuthFileForm::config) return parse_config(root, name);
  AuthFile result;
  result.auths = TRY(parse_auths(root, name));
  return result;
}

Result<std::optional<Credential>> to_credential(const AuthEntry& entry, std::string_view source) {
  Credential credential{.username = entry.username,
                        .password = entry.password,
                        .identity_token = entry.identity_token,
                        .registry_token = entry.registry_token,
                        .source = std::string(source)};
  if (!entry.auth.empty()) TRY(decode_auth(entry, source, credential));
  if (credential.is_anonymous()) return std::optional<Credential>();
  return std::optional<Credential>(std::move(credential));
}

}  // namespace berth::credential
