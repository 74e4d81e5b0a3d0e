// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/jwt.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include <nlohmann/json.hpp>

#include "berth/base/text.hpp"

#include "credential/json_text.hpp"

namespace berth::credential {
namespace {

using nlohmann::json;

/// Registries' and Entra ID's have 1 to 3 KiB.
constexpr std::size_t kLimit = 128 * 1024;
constexpr int kDepth = 32;
/// In the year 2200: sums of times do not overflow. (A double is exact up to 2^53.)
constexpr double kLastSecond = 7'258'118'400.0;

Error no_token(const char* why) {
  return {Errc::corrupt, std::string("not a JSON Web Token: ") + why};
}

/// Discarded when it is no JSON, is too deep, or has a member twice.
json parse_claims(const std::string& text) {
  std::vector<std::set<std::string>> names;
  bool good = true;
  const auto look = [&](int depth, json::parse_event_t event, const json& value) {
    if (depth > kDepth) good = false;
    if (event == json::parse_event_t::object_start) names.emplace_back();
    if (event == json::parse_event_t::object_end && !names.empty()) names.pop_back();
    if (event == json::parse_event_t::key && !names.empty()) {
      good = names.back().insert(value.get<std::string>()).second && good;
    }
    return good;
  };
  json claims = json::parse(text, look, false);
  return good ? claims : json(json::value_t::discarded);
}

/// NumericDate may have a fraction (RFC 7519 section 2).
std::optional<std::int64_t> seconds(const json& claims, const char* name) {
  const auto value = claims.find(name);
  if (value == claims.end() || !value->is_number()) return std::nullopt;
  const double number = value->get<double>();
  return static_cast<std::int64_t>(std::clamp(number, 0.0, kLastSecond));
}

std::string audience_of(const json& claims) {
  const auto value = claims.find("aud");
  if (value == claims.end() || value->is_null()) return {};
  return value->is_string() ? value->get<std::string>() : value->dump();
}

std::string account_of(const json& claims) {
  for (const char* name : {"upn", "appid", "azp"}) {
    if (std::string value = string_member(claims, name); !value.empty()) return value;
  }
  return {};
}

}  // namespace

Result<JwtClaims> read_jwt(std::string_view token) {
  const auto parts = text::split(token, '.');
  if (parts.size() != 3) return no_token("it has no three parts");
  if (parts[1].size() > kLimit) return no_token("it is too long");
  const auto payload = text::from_base64(parts[1]);
  if (!payload) return no_token("its claims are not base64url");
  const json claims = parse_claims(*payload);
  if (!claims.is_object()) return no_token("its claims are no object");
  return JwtClaims{.issued = seconds(claims, "iat"),
                   .expires = seconds(claims, "exp"),
                   .tenant = string_member(claims, "tid"),
                   .object = string_member(claims, "oid"),
                   .account = account_of(claims),
                   .by_repository = claims.contains("aad_identity"),
                   .issuer = string_member(claims, "iss"),
                   .subject = string_member(claims, "sub"),
                   .audience = audience_of(claims)};
}

}  // namespace berth::credential
