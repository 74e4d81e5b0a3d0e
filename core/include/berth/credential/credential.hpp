// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "berth/base/secret.hpp"

namespace berth::credential {

/// What a registry is shown. One form is filled, but for one case: a user name and password may
/// stand beside an identity token, for token servers that do not take the latter.
struct Credential {
  std::string username;  ///< with `password`; both empty: anonymous
  Secret password;
  /// An OAuth2 refresh token (docker's identitytoken, or the user name "<token>").
  Secret identity_token;
  Secret registry_token;  ///< a bearer token to send as it is (docker's registrytoken)
  std::string source;  ///< where it came from, for messages: "~/.docker/config.json", "helper pass"

  bool is_anonymous() const noexcept {
    return username.empty() && password.empty() && identity_token.empty() && registry_token.empty();
  }
};

}  // namespace berth::credential
