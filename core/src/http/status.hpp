// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace berth::http {

/// Safe to send twice (RFC 9110 section 9.2.1), of those that berth sends.
constexpr bool is_safe_method(std::string_view method) noexcept {
  return method == "GET" || method == "HEAD";
}

/// May the same request succeed if it is sent again soon?
constexpr bool is_retryable_status(int status) noexcept {
  return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

/// With a Location to follow. 300 and 304 are none.
constexpr bool is_redirect_status(int status) noexcept {
  return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

}  // namespace berth::http
