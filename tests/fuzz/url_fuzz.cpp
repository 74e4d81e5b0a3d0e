// SPDX-License-Identifier: Apache-2.0
#include "berth/http/url.hpp"

#include "fuzz/fuzz.hpp"

using berth::fuzz::require;
using berth::http::Url;

namespace {

void check(const Url& url) {
  const auto& origin = url.origin();
  require(origin.scheme == "http" || origin.scheme == "https");
  require(!origin.host.empty() && origin.host.find_first_of("@/?# ") == std::string::npos);
  require(url.path_and_query().starts_with('/'));
  for (const char c : url.text()) require(static_cast<unsigned char>(c) > 0x20 && c != 0x7f);
  require(url.redacted().find('?') == std::string::npos);
  // What was read is written so that it leads to the same place.
  const auto again = Url::parse(url.text());
  require(again && again->origin() == origin);
  require(again->path_and_query() == url.path_and_query());
}

}  // namespace

/// A URL, a line feed, and what is resolved against it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = berth::fuzz::as_text(data, size);
  const std::size_t end = text.find('\n');
  const auto url = Url::parse(text.substr(0, end));
  if (!url) return 0;
  check(*url);
  const auto reference = end == std::string_view::npos ? text : text.substr(end + 1);
  if (const auto resolved = url->resolve(reference)) check(*resolved);
  return 0;
}
