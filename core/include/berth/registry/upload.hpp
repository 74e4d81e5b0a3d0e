// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "berth/base/bytes.hpp"
#include "berth/base/context.hpp"
#include "berth/digest/digest.hpp"

namespace berth::registry {

/// A blob's bytes on their way to a registry. Used by one thread at a time; read once where all
/// goes well, and again from where the registry says when a connection broke.
class BlobSource {
 public:
  virtual ~BlobSource() = default;
  /// nullopt for a stream whose end nobody knows.
  virtual std::optional<std::uint64_t> size() const = 0;
  /// The next bytes, valid until the next call; empty at the end.
  virtual Result<ByteView> next(const Context& context) = 0;
  /// The next bytes are those from `offset` on, which is not beyond what was read already.
  /// unsupported when they are gone.
  virtual Result<void> seek(std::uint64_t offset) = 0;
};

/// A file, opened now, its size fixed now. One that becomes shorter meanwhile is Errc::io.
Result<std::unique_ptr<BlobSource>> blob_of_file(const std::filesystem::path& path);
/// Bytes that must outlive the source.
std::unique_ptr<BlobSource> blob_of_bytes(ByteView bytes);
/// Fills (a part of) the span and says how much; 0 at the end.
using StreamReader = std::function<Result<std::size_t>(std::span<std::byte>, const Context&)>;
/// How far back a stream can go: what a broken connection may have held, in its buffers and the
/// registry's.
inline constexpr std::size_t kStreamWindow = std::size_t{8} * 1024 * 1024;
/// A stream that can be read once: a pipe, a socket, bytes that are made. The last `window` bytes
/// (at least that, at most twice as much, are held) can be sent again.
std::unique_ptr<BlobSource> blob_of_stream(StreamReader reader,
                                           std::optional<std::uint64_t> size = {},
                                           std::size_t window = kStreamWindow);

/// How the bytes go to the registry (distribution-spec 1.1, "Pushing blobs").
enum class UploadWay : unsigned char {
  /// single_put where the digest is known or can be had by reading twice, and the registry is known
  /// to want it so; else stream.
  automatic,
  single_put,  ///< POST, PUT with the bytes; needs digest and size
  stream,      ///< POST, one PATCH with all the bytes, PUT
  chunks,      ///< POST, a PATCH for each chunk, PUT
};

struct UploadOptions {
  UploadWay way = UploadWay::automatic;
  /// Bytes, of UploadWay::chunks; more where the registry asks for it (OCI-Chunk-Min-Length).
  std::uint64_t chunk_size = std::uint64_t{16} * 1024 * 1024;
  /// What the bytes are promised to be: checked while they are sent. Without it sha256 is computed.
  std::optional<Digest> digest{};
  /// A repository of the same registry that may hold the blob: mounted where the registry can.
  std::string mount_from{};
  /// Blobs over this size, whose digest is known, are looked for first (HEAD).
  std::uint64_t look_first_above = std::uint64_t{1024} * 1024;
  /// A source over that size without a digest is read once beforehand to know it, so that a blob
  /// that is there already is not sent again: a file, bytes. One that has a size and cannot go back
  /// to its beginning is Errc::unsupported then. Not by default: most of what is pushed is new, and
  /// would be read and hashed twice.
  bool hash_first = false;
  /// Bytes given to the network so far; goes back when some must be sent again. On the caller's
  /// thread.
  std::function<void(std::uint64_t sent)> progress{};
};

struct Uploaded {
  enum class How : unsigned char { sent, mounted, was_there };
  Digest digest;
  /// Bytes; 0 also of a source that does not say its own, was mounted, and of which the registry
  /// does not tell it.
  std::uint64_t size = 0;
  How how = How::sent;
};

}  // namespace berth::registry
