// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "berth/base/result.hpp"

namespace berth::credential {

/// What berth reads in a token that is meant for others: when it ends, and whose it is. Nothing is
/// trusted that depends on it: the signature is for whom the token is shown to.
struct JwtClaims {
  std::optional<std::int64_t> issued;   ///< iat, seconds since 1970, at most those of 2200
  std::optional<std::int64_t> expires;  ///< exp
  std::string tenant;                   ///< tid, of Entra ID's tokens
  std::string object;                   ///< oid
  std::string account;                  ///< upn, else appid or azp
  bool by_repository = false;  ///< aad_identity: a registry that gives rights by repository (ABAC)
  std::string issuer{};        ///< iss
  std::string subject{};       ///< sub
  std::string audience{};      ///< aud, as JSON where it is a list
};

/// The claims of a JSON Web Token (RFC 7519). Errc::corrupt for what is none: also when a claim
/// stands twice, and each reader would believe another one.
Result<JwtClaims> read_jwt(std::string_view token);

}  // namespace berth::credential
