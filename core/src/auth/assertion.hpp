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
};

/// A JSON Web Token (RFC 7523) by which an application proves, for ten minutes, that it holds the
/// key of its certificate: PS256, x5t#S256 (RFC 7515 section 4.1.8).
Result<Secret> make_assertion(const crypto::SigningCertificate& certificate,
                              const AssertionClaims& claims);

}  // namespace berth::auth
