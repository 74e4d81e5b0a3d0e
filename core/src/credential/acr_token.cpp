// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/acr_token.hpp"

#include "berth/credential/jwt.hpp"
#include "berth/credential/router.hpp"

namespace berth::credential {
namespace {

std::optional<RefreshToken> token_of(const Secret& secret) {
  const auto claims = read_jwt(secret.reveal());
  if (!claims || !claims->expires) return std::nullopt;
  const auto time = [](std::int64_t seconds) {
    return Clock::SystemTime(std::chrono::seconds(seconds));
  };
  return RefreshToken{.value = secret,
                      .issued = time(claims->issued.value_or(*claims->expires)),
                      .expires = time(*claims->expires)};
}

}  // namespace

std::optional<RefreshToken> acr_token(const Credential& credential) {
  auto token = token_of(credential.identity_token);
  if (!token && credential.username == kAcrUser) token = token_of(credential.password);
  return token;
}

}  // namespace berth::credential
