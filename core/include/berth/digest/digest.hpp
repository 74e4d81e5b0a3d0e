// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "berth/base/result.hpp"

namespace berth {

/// Digest algorithms of the OCI image-spec ("descriptor.md", Registered algorithms).
enum class Algorithm : std::uint8_t { sha256, sha384, sha512, blake3 };

/// "sha256" and so on.
std::string_view to_string(Algorithm algorithm) noexcept;

/// A content digest in its text form, `algorithm:hex`. Only made by parse(), so whatever holds one
/// holds a valid one: paths may be built from it (CVE-2024-3727). A value; 40 to 140 bytes.
/// Neither hashing nor OpenSSL is behind this type: see hasher.hpp.
class Digest {
 public:
  /// Strict: a registered algorithm, lower-case hex of its exact length. Errc::invalid_argument for
  /// a broken one; Errc::unsupported, naming it, for a valid one of an algorithm that is not
  /// registered.
  static Result<Digest> parse(std::string_view text);
  static Result<Digest> from_parts(std::string_view algorithm, std::string_view hex);

  Algorithm algorithm() const noexcept { return algorithm_; }
  std::string_view algorithm_name() const noexcept { return to_string(algorithm_); }
  std::string_view hex() const noexcept;
  /// "sha256:<hex>"
  const std::string& text() const noexcept { return text_; }
  /// blake3 is registered, and named, but berth cannot compute it.
  bool is_verifiable() const noexcept { return algorithm_ != Algorithm::blake3; }

  friend bool operator==(const Digest&, const Digest&) = default;
  friend std::strong_ordering operator<=>(const Digest& a, const Digest& b) noexcept {
    return a.text_ <=> b.text_;
  }

 private:
  Digest(Algorithm algorithm, std::string text)
      : algorithm_(algorithm),
        text_(std::move(text)) {}

  Algorithm algorithm_;
  std::string text_;
};

}  // namespace berth

template <>
struct std::hash<berth::Digest> {
  std::size_t operator()(const berth::Digest& digest) const noexcept {
    return std::hash<std::string>{}(digest.text());
  }
};
