// SPDX-License-Identifier: Apache-2.0
#include "auth/acr_login.hpp"

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/credential/jwt.hpp"

namespace berth::auth {
namespace {

using credential::read_jwt;
constexpr std::string_view kNobody = "00000000-0000-0000-0000-000000000000";

std::optional<std::int64_t> end_of(const Secret& token) {
  const auto claims = read_jwt(token.reveal());
  return claims ? claims->expires : std::nullopt;
}

}  // namespace

std::string service_name(const SessionOptions& options) {
  const std::string origin = options.registry.origin().text();
  return origin.substr(origin.find("://") + 3);
}

void drop_lapsed_token(credential::Lookup& lookup, Clock::SystemTime now) {
  const credential::Credential& held = lookup.credential;
  std::optional<std::int64_t> end = end_of(held.identity_token);
  if (!end && held.username == kNobody) end = end_of(held.password);
  if (!end || *end > std::chrono::system_clock::to_time_t(now)) return;
  lookup.tried.push_back(
      {.source = held.source,
       .outcome = fmt::format("its token ended at {}", text::format_rfc3339(*end))});
  lookup.credential = credential::Credential{};
}

}  // namespace berth::auth
