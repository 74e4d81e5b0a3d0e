// SPDX-License-Identifier: Apache-2.0
#include "acr/verified_body.hpp"

#include <utility>

#include <fmt/format.h>

#include "berth/base/try.hpp"
#include "berth/digest/hasher.hpp"

namespace berth::acr {
namespace {

class VerifiedBody final : public http::Body {
 public:
  VerifiedBody(VerifiedBodyParts parts, const Hasher& hasher)
      : parts_(std::move(parts)),
        hasher_(hasher) {}

  Result<ByteView> next(const Context& context) override {
    const auto scope = TRY(parts_.core->dress(parts_.options));
    if (failed_) return *failed_;
    auto bytes = parts_.stream.body->next(context);
    if (!bytes) {
      Error error = std::move(bytes).error().with_context(parts_.operation);
      // Who ran out of time may ask again.
      if (error.code() != Errc::timeout && error.code() != Errc::would_block) failed_ = error;
      return error;
    }
    if (parts_.whole) hasher_.update(*bytes);
    got_ += bytes->size();
    // With the last byte, and not after it: whoever stops there has seen right bytes too.
    if (parts_.whole && got_ >= parts_.stream.length && !verified_) TRY(verify());
    if (parts_.options.progress && !bytes->empty()) {
      parts_.options.progress(got_, parts_.stream.length);
    }
    return bytes;
  }

 private:
  Result<void> verify() {
    verified_ = true;
    const Digest found = Hasher(hasher_).finish();
    if (found == parts_.digest && got_ == parts_.stream.length) return {};
    failed_ =
        Error(Errc::digest_mismatch, fmt::format("{}: the {} bytes that came have the digest {}",
                                                 parts_.operation, got_, found.text()));
    return *failed_;
  }

  VerifiedBodyParts parts_;
  Hasher hasher_;
  std::uint64_t got_ = 0;
  bool verified_ = false;
  std::optional<Error> failed_;
};

}  // namespace

Result<std::unique_ptr<http::Body>> make_verified_body(VerifiedBodyParts parts) {
  if (parts.whole && !parts.digest.is_verifiable()) {
    return Error(Errc::unsupported, fmt::format("{}: berth cannot compute {}", parts.operation,
                                                parts.digest.algorithm_name()));
  }
  Hasher hasher = TRY(Hasher::create(parts.whole ? parts.digest.algorithm() : Algorithm::sha256));
  return std::make_unique<VerifiedBody>(std::move(parts), hasher);
}

}  // namespace berth::acr
