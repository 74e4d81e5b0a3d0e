// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "berth/http/message.hpp"

#include "auth/token_cache.hpp"

namespace berth::auth {

/// What a 401 asks for.
struct Demand {
  AuthScheme scheme;
  Scopes scopes;                    ///< that its challenge names
  bool insufficient_scope = false;  ///< RFC 6750 section 3.1
  std::string error{};  ///< its error and error_description, for people; a server's text
};

/// Bearer where it is offered and usable, else Basic; nullopt when the answer has no challenge at
/// all. Errc::unsupported, naming them, for schemes that berth does not speak.
Result<std::optional<Demand>> demand_of(const http::Response& response, const std::string& name);

}  // namespace berth::auth
