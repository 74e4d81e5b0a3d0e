// SPDX-License-Identifier: Apache-2.0
#include "berth/digest/digest.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace berth {
namespace {

struct Registered {
  Algorithm algorithm;
  std::string_view name;
  std::size_t hex_length;
};

/// image-spec "descriptor.md", Registered algorithms; sha384 is what go-digest adds.
constexpr std::array<Registered, 4> kRegistered{{
    {Algorithm::sha256, "sha256", 64},
    {Algorithm::sha384, "sha384", 96},
    {Algorithm::sha512, "sha512", 128},
    {Algorithm::blake3, "blake3", 64},
}};

const Registered* find(std::string_view name) noexcept {
  const auto* const at = std::ranges::find(kRegistered, name, &Registered::name);
  return at == kRegistered.end() ? nullptr : at;
}

constexpr bool is_lower_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/// algorithm-component *( algorithm-separator algorithm-component )
bool is_algorithm_name(std::string_view name) noexcept {
  bool after_component = false;
  for (const char c : name) {
    const bool separator = c == '+' || c == '.' || c == '_' || c == '-';
    if (!is_lower_or_digit(c) && !(separator && after_component)) return false;
    after_component = !separator;
  }
  return after_component;
}

bool is_encoded(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '=' || c == '_' || c == '-';
  });
}

bool is_lower_hex(std::string_view text) noexcept {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// What is wrong, in words; nullopt when nothing is.
std::optional<Error> problem(std::string_view algorithm, std::string_view hex) {
  // A digest of a hostile registry may be megabytes of nonsense: a message quotes a start of it.
  const auto quote = [](std::string_view s) {
    return "'" + std::string(s.substr(0, 140)) + (s.size() > 140 ? "..." : "") + "'";
  };
  if (!is_algorithm_name(algorithm) || !is_encoded(hex)) {
    return Error(Errc::invalid_argument, quote(std::string(algorithm.substr(0, 141)) + ":" +
                                               std::string(hex.substr(0, 141))) +
                                             " is not a digest (algorithm:hex)");
  }
  const Registered* const known = find(algorithm);
  if (known == nullptr) {
    return Error(Errc::unsupported, "digests of the algorithm " + quote(algorithm) +
                                        " are not supported; sha256, sha384 and sha512 are");
  }
  if (hex.size() != known->hex_length || !is_lower_hex(hex)) {
    return Error(Errc::invalid_argument, quote(hex) + " is not the hexadecimal form of a " +
                                             std::string(algorithm) + " digest: it has " +
                                             std::to_string(known->hex_length) +
                                             " digits 0-9 and a-f in lower case");
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Algorithm algorithm) noexcept {
  return kRegistered[static_cast<std::size_t>(algorithm)].name;
}

Result<Digest> Digest::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return from_parts(text, "");
  return from_parts(text.substr(0, colon), text.substr(colon + 1));
}

Result<Digest> Digest::from_parts(std::string_view algorithm, std::string_view hex) {
  if (auto error = problem(algorithm, hex)) return *std::move(error);
  std::string text;
  text.reserve(algorithm.size() + 1 + hex.size());
  text.append(algorithm).append(":").append(hex);
  return Digest(find(algorithm)->algorithm, std::move(text));
}

std::string_view Digest::hex() const noexcept {
  return std::string_view(text_).substr(algorithm_name().size() + 1);
}

}  // namespace berth
