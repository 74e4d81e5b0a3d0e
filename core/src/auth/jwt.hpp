// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "berth/base/result.hpp"

namespace berth::auth {

/// What berth reads in a token that is meant for others: when it ends, and whose it is. Nothing is
/// trusted that depends on it: the signature is for whom the token is shown to.
struct JwtClaims {
  std::optional<std::int64_t> issued;   ///< iat, seconds since 1970
  std::optional<std::int64_t> expires;  ///< exp
  std::string tenant;                   ///< tid, of Entra ID's tokens
  std::string object;                   ///< oid
  std::string account;                  ///< upn, else appid or azp
  bool by_repository = false;  ///< aad_identity: a registry that gives rights by repository (ABAC)
};

/// The claims of a JSON Web Token (RFC 7519). Errc::corrupt for what is none.
Result<JwtClaims> read_jwt(std::string_view token);

}  // namespace berth::auth
