// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "berth/base/result.hpp"

namespace berth::http {

/// Scheme, host and port (RFC 6454), normalised: lower case, default ports filled in.
struct Origin {
  std::string scheme;  ///< "http" or "https"
  std::string host;    ///< an IPv6 address without brackets
  std::uint16_t port = 0;

  std::string text() const;  ///< "https://host" or "https://host:5000"
  friend bool operator==(const Origin&, const Origin&) = default;
};

/// An absolute http or https URL without user information. Made only by parse() and resolve().
class Url {
 public:
  /// Errc::untrusted for other schemes and user information, Errc::invalid_argument for the rest.
  static Result<Url> parse(std::string_view text);
  /// RFC 3986 section 5: `reference` may be absolute or relative to this one.
  Result<Url> resolve(std::string_view reference) const;
  /// The same origin; `path_and_query` begins with '/'.
  Url with_path(std::string_view path_and_query) const;

  const Origin& origin() const noexcept { return origin_; }
  const std::string& path_and_query() const noexcept { return path_; }
  std::string text() const;
  /// Without the query: for messages and logs (presigned queries are secrets).
  std::string redacted() const;

 private:
  Origin origin_;
  std::string path_ = "/";
};

}  // namespace berth::http
