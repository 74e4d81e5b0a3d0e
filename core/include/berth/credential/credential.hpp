// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "berth/base/secret.hpp"

namespace berth::credential {

/// What a registry is shown. At most one of the forms is filled.
struct Credential {
  std::string username;  ///< with `password`; both empty: anonymous
  Secret password;
  Secret
      identity_token;  ///< an OAuth2 refresh token (docker's identitytoken, or user name "<token>")
  Secret registry_token;  ///< a bearer token to send as it is (docker's registrytoken)
  std::string source;  ///< where it came from, for messages: "~/.docker/config.json", "helper pass"

  bool is_anonymous() const noexcept {
    return username.empty() && password.empty() && identity_token.empty() && registry_token.empty();
  }
};

}  // namespace berth::credential
