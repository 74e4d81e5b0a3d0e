// SPDX-License-Identifier: Apache-2.0
#include "content/byte_copy.hpp"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "berth/base/fd.hpp"
#include "berth/base/try.hpp"

namespace berth::content {
namespace {

/// Copied at once: small enough for progress to move, large enough for few calls.
constexpr std::uint64_t kPiece = 1024 * 1024;

Result<void> copy_in_memory(int from, std::uint64_t from_offset, const NewFile& to,
                            std::uint64_t offset, std::uint64_t length) {
  Bytes buffer(256 * 1024);
  while (length > 0) {
    const std::span<std::byte> piece(buffer.data(), std::min<std::uint64_t>(buffer.size(), length));
    TRY(pread_exact(from, piece, from_offset));
    TRY(to.write(piece, offset));
    from_offset += piece.size();
    offset += piece.size();
    length -= piece.size();
  }
  return {};
}

// copy_file_range(2) itself shares blocks where it can. It does not work between all file systems,
// and says so in several ways. Of a full or broken disk it does not say whose: reading and writing
// meet that again.
Result<void> copy_range(const BlobReader::FileRange& from, const NewFile& to, std::uint64_t offset,
                        std::uint64_t length) {
  auto in = static_cast<off64_t>(from.offset);
  auto out = static_cast<off64_t>(offset);
  while (length > 0) {
    const ssize_t count = ::copy_file_range(from.fd, &in, to.fd(), &out, length, 0);
    if (count > 0) {
      length -= static_cast<std::uint64_t>(count);
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    return copy_in_memory(from.fd, static_cast<std::uint64_t>(in), to,
                          static_cast<std::uint64_t>(out), length);
  }
  return {};
}

Result<void> copy_piece(BlobReader& reader, const NewFile& to, std::uint64_t offset,
                        std::uint64_t length, const Context& context) {
  const auto range = TRY(reader.wait_for_range(offset, length, context));
  if (range) return copy_range(*range, to, offset, length);
  Bytes buffer(length);
  TRY(reader.read(offset, buffer, context));
  return to.write(buffer, offset);
}

}  // namespace

bool clone_blob(BlobReader& reader, int fd) {
  if (!reader.settled() || reader.size() == 0) return false;
  const auto whole = reader.file_range(0, reader.size());
  return whole && whole->offset == 0 && ::ioctl(fd, FICLONE, whole->fd) == 0;
}

Result<bool> await_in_cache(BlobReader& reader, const Arrived& progress, const Context& context) {
  for (std::uint64_t offset = 0; offset < reader.size() && !reader.cache_file();) {
    TRY(context.check());
    const std::uint64_t length = std::min(kPiece, reader.size() - offset);
    const auto range = TRY(reader.wait_for_range(offset, length, context));
    if (!range) return false;
    offset += length;
    progress(offset);
  }
  if (!reader.cache_file()) return false;
  progress(reader.size());
  return true;
}

Result<void> copy_bytes(BlobReader& reader, const NewFile& to, const Arrived& progress,
                        const Context& context) {
  if (clone_blob(reader, to.fd())) {
    progress(reader.size());
    return {};
  }
  for (std::uint64_t offset = 0; offset < reader.size();) {
    TRY(context.check());
    const std::uint64_t length = std::min(kPiece, reader.size() - offset);
    TRY(copy_piece(reader, to, offset, length, context));
    offset += length;
    progress(offset);
  }
  return {};
}

}  // namespace berth::content
