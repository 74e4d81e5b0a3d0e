// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "berth/base/text.hpp"

namespace berth::text {
namespace {

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode(ByteView bytes, std::string_view alphabet, bool padded) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (; !bytes.empty(); bytes = bytes.subspan(std::min<std::size_t>(bytes.size(), 3))) {
    const auto byte = [&](std::size_t i) {
      return i < bytes.size() ? std::to_integer<unsigned>(bytes[i]) : 0U;
    };
    const unsigned group = (byte(0) << 16) | (byte(1) << 8) | byte(2);
    const std::size_t digits = std::min<std::size_t>(bytes.size(), 3) + 1;
    for (std::size_t i = 0; i < digits; ++i) out.push_back(alphabet[(group >> (18 - 6 * i)) & 63]);
    if (padded) out.append(4 - digits, '=');
  }
  return out;
}

constexpr int digit_value(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

Error broken(std::string_view why) {
  // The text itself is not quoted: what is in base64 here is most often a credential.
  return Error(Errc::invalid_argument, "this is not base64: " + std::string(why));
}

}  // namespace

std::string to_base64(ByteView bytes) { return encode(bytes, kStandard, true); }

std::string to_base64url(ByteView bytes) { return encode(bytes, kUrl, false); }

Result<std::string> from_base64(std::string_view text) {
  std::size_t padding = 0;
  for (; text.ends_with('='); text.remove_suffix(1)) ++padding;
  const std::size_t last = text.size() % 4;
  if (last == 1) return broken("a group of one character");
  if (padding != 0 && (last == 0 || padding != 4 - last)) return broken("wrong padding");

  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  unsigned group = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const int value = digit_value(c);
    if (value < 0) return broken("a character outside its alphabet");
    group = (group << 6) | static_cast<unsigned>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<char>((group >> bits) & 0xFF));
    }
  }
  return out;
}

}  // namespace berth::text
