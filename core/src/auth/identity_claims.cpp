// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/identity_claims.hpp"

#include "berth/credential/jwt.hpp"

namespace berth::auth {

IdentityClaims claims_of(const AccessToken& token) {
  const auto claims = credential::read_jwt(token.token.reveal());
  if (!claims) return {};
  return {.tenant_id = claims->tenant, .object_id = claims->object, .account = claims->account};
}

}  // namespace berth::auth
