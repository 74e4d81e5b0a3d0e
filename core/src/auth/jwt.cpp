// SPDX-License-Identifier: Apache-2.0
#include "auth/jwt.hpp"

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"
#include "berth/json/value.hpp"

namespace berth::auth {
namespace {

/// NumericDate may have a fraction (RFC 7519 section 2).
std::optional<std::int64_t> seconds(const json::Value& claims, std::string_view name) {
  const auto value = claims.find(name);
  if (!value) return std::nullopt;
  if (const auto whole = value->as_int()) return *whole;
  const auto fraction = value->as_double();
  if (!fraction || !(*fraction > 0 && *fraction < 1e15)) return std::nullopt;
  return static_cast<std::int64_t>(*fraction);
}

}  // namespace

Result<JwtClaims> read_jwt(std::string_view token) {
  const auto parts = text::split(token, '.');
  if (parts.size() != 3) return Error(Errc::corrupt, "not a JSON Web Token: it has no three parts");
  const auto payload = text::from_base64(parts[1]);
  if (!payload) return Error(Errc::corrupt, "not a JSON Web Token: its claims are not base64url");
  const json::Document document =
      TRY(json::Document::parse(*payload, {.bytes = http::limits::kTokenBody, .depth = 32}));
  const json::Value root = document.root();
  if (root.type() != json::Type::object) {
    return Error(Errc::corrupt, "not a JSON Web Token: its claims are no object");
  }
  JwtClaims claims{.issued = seconds(root, "iat"),
                   .expires = seconds(root, "exp"),
                   .tenant = {},
                   .object = {},
                   .account = {},
                   .by_repository = root.find("aad_identity").has_value()};
  const auto text = [&](const char* name) { return root.string_or_empty(name).value_or(""); };
  claims.tenant = text("tid");
  claims.object = text("oid");
  for (const char* name : {"upn", "appid", "azp"}) {
    if (claims.account.empty()) claims.account = text(name);
  }
  return claims;
}

}  // namespace berth::auth
