// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>

#include "berth/base/text.hpp"

namespace berth::text {
namespace {

struct Decoded {
  char32_t code_point = 0;
  std::size_t length = 0;  ///< 0: not UTF-8
};

/// One character of UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF. A
/// lenient reader would let "\xC0\x9B" through, which some terminals take for an escape.
Decoded decode(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  char32_t value = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {};
    value = (value << 6) | (byte(i) & 0x3FU);
  }
  constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, length};
}

constexpr bool is_dangerous(char32_t c) noexcept {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F)                             // C0, DEL, C1
         || c == 0x061C || c == 0x200E || c == 0x200F                     // direction marks
         || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069)  // embeddings, isolates
         || c == 0x2028 || c == 0x2029;                                   // new lines of Unicode
}

void append_number(std::string& out, unsigned value, std::size_t digits) {
  std::array<char, 8> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, 16).ptr;
  const auto length = static_cast<std::size_t>(end - buffer.data());
  if (length < digits) out.append(digits - length, '0');
  out.append(buffer.data(), length);
}

}  // namespace

std::string escape_for_terminal(std::string_view untrusted) {
  std::string out;
  out.reserve(untrusted.size());
  while (!untrusted.empty()) {
    const Decoded c = decode(untrusted);
    const std::size_t length = c.length == 0 ? 1 : c.length;
    if (c.length == 0 || (c.length == 1 && is_dangerous(c.code_point))) {
      out.append("\\x");
      append_number(out, static_cast<unsigned char>(untrusted[0]), 2);
    } else if (is_dangerous(c.code_point)) {
      out.append("\\u{");
      append_number(out, c.code_point, 4);
      out.push_back('}');
    } else {
      out.append(untrusted.substr(0, length));
    }
    untrusted.remove_prefix(length);
  }
  return out;
}

}  // namespace berth::text
