// SPDX-License-Identifier: Apache-2.0
#include "registry/paging.hpp"

#include <bit>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"
#include "berth/http/policy.hpp"

#include "registry/link_header.hpp"

namespace berth::registry {
namespace {

// FNV-1a. Two pages with one hash would end a list with an error, and a registry that wants that
// can do it in simpler ways.
std::uint64_t hash(std::string_view text) {
  std::uint64_t value = 14695981039346656037ULL;
  for (const char c : text) {
    value = (value ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return value;
}

}  // namespace

std::string Cursor::text() const { return fmt::format("{}:{}:{}", pages, landmark, url.text()); }

Result<Cursor> Cursor::parse(std::string_view text) {
  const auto first = text.find(':');
  const auto second = text.find(':', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) {
    return Error(Errc::invalid_argument, "this is no place to go on in a list");
  }
  const auto pages = TRY(text::parse_unsigned(text.substr(0, first)));
  const auto landmark = TRY(text::parse_unsigned(text.substr(first + 1, second - first - 1)));
  auto url = TRY(http::Url::parse(text.substr(second + 1)));
  return Cursor{std::move(url), static_cast<std::uint32_t>(pages), landmark};
}

Result<std::optional<Cursor>> next_cursor(const Cursor& cursor, const http::Response& response) {
  const auto link = next_link(response.headers.all("Link"));
  if (!link) return std::optional<Cursor>();
  auto url = TRY(cursor.url.resolve(*link));
  Cursor next{std::move(url), cursor.pages + 1, cursor.landmark};
  TRY(http::url_policy::check_page_link(cursor.url, next.url));
  if (next.pages >= http::limits::kPages) {
    return Error(Errc::too_large,
                 fmt::format("the list has more than {} pages", http::limits::kPages));
  }
  if (std::has_single_bit(next.pages)) next.landmark = hash(cursor.url.text());
  if (hash(next.url.text()) == next.landmark) {
    return Error(Errc::corrupt,
                 fmt::format("the link of page {} leads back to an earlier page", next.pages));
  }
  return std::optional(std::move(next));
}

}  // namespace berth::registry
