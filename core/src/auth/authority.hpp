// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "berth/auth/token_credential.hpp"
#include "berth/http/client.hpp"

namespace berth::auth {

/// A question to Entra ID's token endpoint.
struct AuthorityRequest {
  std::string who;     ///< the credential, for messages
  std::string host;    ///< authority_host()
  std::string tenant;  ///< checked
  std::string client_id;
  std::string scope;
  Secret proof;  ///< "client_secret=...": the rest of the form
};

/// "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token"; AD FS has another path.
std::string token_endpoint(const std::string& host, const std::string& tenant);
bool is_adfs(std::string_view endpoint);

/// A token by the client credentials grant (RFC 6749 section 4.4). Errors: unauthenticated with
/// Entra ID's words and what to do; unavailable, retryable, when it is not reached or fails.
Result<AccessToken> ask_authority(http::Client& client, const AuthorityRequest& request,
                                  const Context& context);

/// What to do about a code, "AADSTS7000215"; "" for those that berth knows nothing of.
std::string_view remedy_for(std::string_view code);

/// Those that it knows.
std::vector<std::string_view> known_refusals();

}  // namespace berth::auth
