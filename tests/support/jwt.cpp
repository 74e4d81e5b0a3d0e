// SPDX-License-Identifier: Apache-2.0
#include "support/jwt.hpp"

namespace berth::test {
namespace {
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}  // namespace

std::string base64url(std::string_view bytes) {
  std::string out;
  unsigned held = 0;
  int bits = 0;
  for (const char byte : bytes) {
    held = (held << 8) | static_cast<unsigned char>(byte);
    for (bits += 8; bits >= 6; bits -= 6) out += kAlphabet[(held >> (bits - 6)) & 63];
    held &= (1U << bits) - 1;
  }
  if (bits > 0) out += kAlphabet[(held << (6 - bits)) & 63];
  return out;
}

std::string from_base64url(std::string_view text) {
  std::string out;
  unsigned held = 0;
  int bits = 0;
  for (const char c : text) {
    const auto value = kAlphabet.find(c);
    if (value == std::string_view::npos) return {};
    held = (held << 6) | static_cast<unsigned>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>((held >> bits) & 255);
      held &= (1U << bits) - 1;
    }
  }
  return out;
}

std::string unsigned_jwt(const nlohmann::ordered_json& claims) {
  return base64url(R"({"typ":"JWT","alg":"RS256"})") + "." + base64url(claims.dump()) + "." +
         base64url("nobody signed this");
}

}  // namespace berth::test
