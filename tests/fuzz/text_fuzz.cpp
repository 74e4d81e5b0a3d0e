// SPDX-License-Identifier: Apache-2.0
#include "berth/base/text.hpp"

#include "fuzz/fuzz.hpp"

using berth::fuzz::require;
using berth::fuzz::require_value;
namespace text = berth::text;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = berth::fuzz::as_text(data, size);
  const std::string shown = text::escape_for_terminal(input);
  require(text::escape_for_terminal(shown) == shown);
  for (const char c : shown) require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);

  const berth::ByteView bytes = berth::as_bytes(input);
  require_value(text::from_base64(text::to_base64(bytes)), input);
  require_value(text::from_base64(text::to_base64url(bytes)), input);
  (void)text::from_base64(input);
  require_value(text::percent_decode(text::percent_encode(input)), input);
  (void)text::percent_decode(input);
  (void)text::parse_size(input);
  if (const auto time = text::parse_rfc3339(input)) {
    (void)text::format_rfc3339(*time);
  }
  return 0;
}
