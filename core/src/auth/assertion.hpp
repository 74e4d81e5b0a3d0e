// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/base/clock.hpp"
#include "berth/crypto/certificate.hpp"

namespace berth::auth {

/// Who says what to whom.
struct AssertionClaims {
  std::string audience;  ///< the token endpoint
  std::string client_id;
  Clock::SystemTime now;
  bool send_chain = false;  ///< x5c
  bool adfs = false;        ///< to Active Directory Federation Services
};

/// A JSON Web Token (RFC 7523) by which an application proves, for ten minutes, that it holds the
/// key of its certificate: PS256, x5t#S256 (RFC 7515 section 4.1.8); or RS256 and x5t, of which
/// AD FS knows no successor.
Result<Secret> make_assertion(const crypto::SigningCertificate& certificate,
                              const AssertionClaims& claims);

}  // namespace berth::auth
