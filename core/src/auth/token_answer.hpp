// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "berth/auth/token_credential.hpp"

namespace berth::auth {

/// The answer of Entra ID's token endpoint or of an identity endpoint: access_token, and when it
/// ends: expires_on (seconds since 1970, as a number or a string, or a date) or expires_in. A token
/// that lives for more than two hours is renewed at half its life, or at refresh_in where that is
/// said. Errc::corrupt for what is no such answer.
Result<AccessToken> parse_token_answer(std::string_view body, Clock::SystemTime now);

/// The refusal of either: {"error":..., "error_description":...}, "" for what is not there.
struct TokenRefusal {
  std::string error;        ///< "invalid_client"
  std::string description;  ///< its first line, escaped
  std::string code;         ///< "AADSTS7000215"
  std::string correlation_id;
};
TokenRefusal parse_token_refusal(std::string_view body);

/// Dates of such answers: RFC 3339, and "11/22/2026 09:00:00 PM +00:00". nullopt for others.
std::optional<Clock::SystemTime> parse_token_date(std::string_view text);

}  // namespace berth::auth
