// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "berth/base/result.hpp"
#include "berth/http/message.hpp"

namespace berth::registry {

/// How far a list was followed: the URL of the next page, how many pages came before, and the hash
/// of one earlier URL to notice a server whose links go round in a circle (Brent's method: that
/// hash moves on at powers of two, so every circle is noticed within three times its length). Its
/// text form is what Page::next holds: a list may be followed by anybody who has it, no state is
/// kept here.
struct Cursor {
  http::Url url;
  std::uint32_t pages = 0;  ///< read so far
  std::uint64_t landmark = 0;

  std::string text() const;
  static Result<Cursor> parse(std::string_view text);
};

/// Where the list goes on after `response`, the answer to `cursor`; nullopt at its end. Errors:
/// untrusted for a link to another origin, corrupt for a circle, too_large over limits::kPages.
Result<std::optional<Cursor>> next_cursor(const Cursor& cursor, const http::Response& response);

}  // namespace berth::registry
