// SPDX-License-Identifier: Apache-2.0
#include "auth/acr_login.hpp"

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/credential/acr_token.hpp"

namespace berth::auth {

std::string service_name(const SessionOptions& options) {
  const std::string origin = options.registry.origin().text();
  return origin.substr(origin.find("://") + 3);
}

void drop_lapsed_token(credential::Lookup& lookup, Clock::SystemTime now) {
  const credential::Credential& held = lookup.credential;
  const auto token = credential::acr_token(held);
  if (!token || token->expires > now) return;
  lookup.tried.push_back(
      {.source = held.source,
       .outcome = fmt::format(
           "its token ended at {}",
           text::format_rfc3339(std::chrono::system_clock::to_time_t(token->expires)))});
  lookup.credential = credential::Credential{};
}

}  // namespace berth::auth
