// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>

#include "berth/cache/partial.hpp"

#include "content/core.hpp"

namespace berth::content {

/// A repository by which a reader came: the blob may be asked for there.
struct Origin {
  std::shared_ptr<Source> source;
  std::string repository;
};

/// "blob sha256:... of localhost:5000/a": how messages name it.
std::string blob_name(const Origin& origin, const Digest& digest);

/// What to do at a server that has no ranges: take the whole body from its start, or
/// Errc::unsupported.
enum class WithoutRanges : bool { from_start, fail };

/// Opens a blob at `offset`.
/// A total that is not `size` is Errc::digest_mismatch: not one byte of it can be right.
Result<registry::BlobStream> open_stream(const Origin& origin, const Digest& digest,
                                         std::uint64_t size, std::uint64_t offset,
                                         std::optional<std::uint64_t> length,
                                         const Context& context,
                                         WithoutRanges otherwise = WithoutRanges::from_start);

/// How a transfer into the cache ended.
struct PumpEnd {
  enum class Kind : unsigned char {
    reached,        ///< `end` was reached
    held,           ///< the next chunk is somebody else's
    source_failed,  ///< `error` is the source's, or the Context's
    cache_failed,   ///< `error` is what Download::write said
  };
  Kind kind = Kind::reached;
  std::optional<Error> error;
};

/// Streams from a source into a Download up to `end`, at the network's pace. `moved` is told each
/// new position.
PumpEnd pump(const Origin& origin, const Digest& digest, std::uint64_t size,
             cache::Download& download, std::uint64_t end, Counting& counting,
             const std::function<void(std::uint64_t)>& moved, const Context& context);

/// The same of a stream that is open, at the Download's position or before it.
PumpEnd pour(const Origin& origin, const Digest& digest, registry::BlobStream& stream,
             cache::Download& download, std::uint64_t end, Counting& counting,
             const std::function<void(std::uint64_t)>& moved, const Context& context);

}  // namespace berth::content
