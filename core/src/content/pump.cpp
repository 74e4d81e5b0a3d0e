// SPDX-License-Identifier: Apache-2.0
#include "content/pump.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "berth/base/try.hpp"

namespace berth::content {

std::string blob_name(const Origin& origin, const Digest& digest) {
  const std::string& name = origin.source->name();
  return origin.repository.empty()
             ? fmt::format("blob {} of {}", digest.text(), name)
             : fmt::format("blob {} of {}/{}", digest.text(), name, origin.repository);
}

Result<registry::BlobStream> open_stream(const Origin& origin, const Digest& digest,
                                         std::uint64_t size, std::uint64_t offset,
                                         std::optional<std::uint64_t> length,
                                         const Context& context, WithoutRanges otherwise) {
  auto opened = origin.source->get_blob(origin.repository, digest, offset, length, context);
  if (!opened && offset > 0 && opened.error().code() == Errc::unsupported &&
      otherwise == WithoutRanges::from_start) {
    opened = origin.source->get_blob(origin.repository, digest, 0, std::nullopt, context);
  }
  registry::BlobStream stream = TRY(std::move(opened));
  if (stream.total != size) {
    return Error(Errc::digest_mismatch,
                 fmt::format("{}: its descriptor promises {} bytes, the registry has {}",
                             blob_name(origin, digest), size, stream.total));
  }
  return stream;
}

namespace {

PumpEnd source_failed(Error error) { return {PumpEnd::Kind::source_failed, std::move(error)}; }

}  // namespace

PumpEnd pump(const Origin& origin, const Digest& digest, std::uint64_t size,
             cache::Download& download, std::uint64_t end, Counting& counting,
             const std::function<void(std::uint64_t)>& moved, const Context& context) {
  const std::uint64_t begin = download.position();
  const auto length = end < size ? std::optional(end - begin) : std::nullopt;
  auto opened = open_stream(origin, digest, size, begin, length, context);
  if (!opened) return source_failed(std::move(opened).error());
  return pour(origin, digest, *opened, download, end, counting, moved, context);
}

PumpEnd pour(const Origin& origin, const Digest& digest, registry::BlobStream& stream,
             cache::Download& download, std::uint64_t end, Counting& counting,
             const std::function<void(std::uint64_t)>& moved, const Context& context) {
  download.end_at(end);
  std::uint64_t at = stream.offset;
  while (download.position() < end) {
    auto piece = stream.body->next(context);
    if (!piece) return source_failed(std::move(piece).error());
    if (piece->empty()) {
      return source_failed(
          Error(Errc::unavailable, fmt::format("{}: the body ended after {} of {} bytes",
                                               blob_name(origin, digest), at, end)));
    }
    counting.bytes_fetched += piece->size();
    const std::uint64_t known = std::min<std::uint64_t>(download.position() - at, piece->size());
    at += piece->size();
    if (known == piece->size()) continue;
    auto more = download.write(piece->subspan(known));
    if (!more) return {PumpEnd::Kind::cache_failed, std::move(more).error()};
    moved(download.position());
    if (!*more) return {PumpEnd::Kind::held, std::nullopt};
  }
  return {};
}

}  // namespace berth::content
