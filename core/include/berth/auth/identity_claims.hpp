// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/auth/token_credential.hpp"

namespace berth::auth {

/// Whom an Entra ID token stands for, as its own claims say: for people to read, and nothing to
/// decide by. "" for what it does not say.
struct IdentityClaims {
  std::string tenant_id;  ///< tid
  std::string object_id;  ///< oid
  std::string account;    ///< a person's upn, else the application's id
};

/// Nothing but "" for a token that cannot be read: it is meant for somebody else.
IdentityClaims claims_of(const AccessToken& token);

}  // namespace berth::auth
