// SPDX-License-Identifier: Apache-2.0
#include "registry/upload_body.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "berth/base/try.hpp"

namespace berth::registry {

UploadBytes::UploadBytes(BlobSource& source, Hasher hasher,
                         std::function<void(std::uint64_t)> progress)
    : source_(source),
      hasher_(hasher),
      progress_(std::move(progress)) {}

Result<void> UploadBytes::seek(std::uint64_t offset) {
  TRY(source_.seek(offset));
  position_ = offset;
  return {};
}

Result<ByteView> UploadBytes::next(std::uint64_t most, const Context& context) {
  ByteView bytes = TRY(source_.next(context));
  if (bytes.empty()) {
    if (const auto promised = source_.size(); promised && position_ != *promised) {
      return Error(Errc::io, fmt::format("the data ended after {} bytes of the {} that it had when "
                                         "the upload began",
                                         position_, *promised));
    }
    end_ = position_;
    return bytes;
  }
  if (bytes.size() > most) {
    bytes = bytes.first(static_cast<std::size_t>(most));
    TRY(source_.seek(position_ + most));
  }
  const std::uint64_t after = position_ + bytes.size();
  if (const auto promised = source_.size(); promised && after > *promised) {
    return Error(
        Errc::io,
        fmt::format("the data has more than the {} bytes that it was said to have", *promised));
  }
  if (after > hasher_.count()) {
    hasher_.update(bytes.subspan(static_cast<std::size_t>(hasher_.count() - position_)));
  }
  position_ = after;
  if (progress_) progress_(position_);
  return bytes;
}

Digest UploadBytes::digest() const { return Hasher(hasher_).finish(); }

Result<ByteView> UploadBody::next(const Context& context) {
  constexpr auto kAll = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t left = length_ ? first_ + *length_ - bytes_.position() : kAll;
  if (left == 0) return ByteView();
  return bytes_.next(left, context);
}

}  // namespace berth::registry
