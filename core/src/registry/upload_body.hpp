// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "berth/digest/hasher.hpp"
#include "berth/http/message.hpp"
#include "berth/registry/upload.hpp"

namespace berth::registry {

/// What one upload read and hashed so far, over all its requests: each byte is hashed once, when it
/// is read for the first time.
class UploadBytes {
 public:
  /// `source` must outlive this.
  UploadBytes(BlobSource& source, Hasher hasher, std::function<void(std::uint64_t)> progress);

  std::optional<std::uint64_t> size() const { return source_.size(); }
  /// Where the end is: its size, or where a stream was found to end.
  std::optional<std::uint64_t> end() const { return end_ ? end_ : source_.size(); }

  Result<void> seek(std::uint64_t offset);
  /// The next bytes, at most `most`, hashed and told to `progress`. Errc::io where fewer come than
  /// size() promised.
  Result<ByteView> next(std::uint64_t most, const Context& context);
  std::uint64_t position() const noexcept { return position_; }

  /// Of all bytes up to the end, which was reached.
  Digest digest() const;
  bool all_hashed() const { return end() && hasher_.count() == *end(); }

 private:
  BlobSource& source_;
  Hasher hasher_;
  const std::function<void(std::uint64_t)> progress_;
  std::optional<std::uint64_t> end_;
  std::uint64_t position_ = 0;
};

/// The part of them that one request sends: from `first`, `length` bytes or to the end.
class UploadBody final : public http::BodySource {
 public:
  UploadBody(UploadBytes& bytes, std::uint64_t first, std::optional<std::uint64_t> length)
      : bytes_(bytes),
        first_(first),
        length_(length) {}

  std::optional<std::uint64_t> size() const override { return length_; }
  Result<void> rewind() override { return bytes_.seek(first_); }
  Result<ByteView> next(const Context& context) override;

 private:
  UploadBytes& bytes_;
  const std::uint64_t first_;
  const std::optional<std::uint64_t> length_;
};

}  // namespace berth::registry
