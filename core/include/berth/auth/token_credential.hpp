// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "berth/base/clock.hpp"
#include "berth/base/context.hpp"
#include "berth/base/result.hpp"
#include "berth/base/secret.hpp"

namespace berth::auth {

/// An Entra ID access token.
struct AccessToken {
  Secret token;
  Clock::SystemTime expires_on;
  std::optional<Clock::SystemTime> refresh_on;  ///< from when a new one is worth asking for
  std::string given_by{};  ///< the one of a chain that gave it; "" where there was no choice
};

/// What a token is asked for.
struct TokenRequest {
  /// Exactly one, "https://containerregistry.azure.net/.default": an Entra ID token is for one
  /// resource. Errc::invalid_argument for none and for several.
  std::vector<std::string> scopes;
  std::string tenant_id;  ///< "": the credential's own
};

/// Something that can prove who one is to Microsoft Entra ID, and gets access tokens so: a secret,
/// a certificate, a managed identity, a tool that is logged in. The counterpart of TokenCredential
/// in @azure/core-auth. Thread safe.
class TokenCredential {
 public:
  virtual ~TokenCredential() = default;

  /// A token that is still good for some minutes, from memory where there is one. Errors:
  /// not_found when this credential is not available here (nothing is configured, the tool is not
  /// installed, nobody is logged in), which a chain passes; any other is a failure and ends it.
  virtual Result<AccessToken> get_token(const TokenRequest& request, const Context& context) = 0;

  /// As messages name it: "EnvironmentCredential".
  virtual std::string name() const = 0;

  /// Differs where the answer may be another identity's; never a secret. Tokens are kept by it.
  virtual std::string identity_key() const = 0;
};

/// Whom a message names as the giver of a token.
inline std::string giver_of(const AccessToken& token, const TokenCredential& asked) {
  return token.given_by.empty() ? asked.name() : token.given_by;
}

}  // namespace berth::auth
