// SPDX-License-Identifier: Apache-2.0
#include "splice.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "berth/base/fd.hpp"

#include "buffers.hpp"

namespace berth::fuse {
namespace {

/// For the largest read at any offset: a part of a page more. The system's usual limit for a pipe.
constexpr int kPipeSize = 2 * Buffers::kSize;

struct Pipe {
  Fd read_end;
  Fd write_end;

  /// Open and empty: a reply that failed may have left something in it.
  bool open() {
    int left = 0;
    if (read_end && ::ioctl(read_end.get(), FIONREAD, &left) == 0 && left == 0) return true;
    close();
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return false;
    read_end = Fd(ends[0]);
    write_end = Fd(ends[1]);
    // Fewer pages for an ordinary user who has many pipes already: then it is no use.
    if (::fcntl(write_end.get(), F_SETPIPE_SZ, kPipeSize) >= kPipeSize) return true;
    close();
    return false;
  }
  void close() {
    read_end = Fd();
    write_end = Fd();
  }
};

}  // namespace

Result<std::optional<int>> fill_pipe(const tree::File::FileRange& range, std::size_t size) {
  static thread_local Pipe pipe;
  if (size > Buffers::kSize || !pipe.open()) return std::optional<int>();
  auto offset = static_cast<off64_t>(range.offset);
  for (std::size_t left = size; left > 0;) {
    const ssize_t count = ::splice(range.fd, &offset, pipe.write_end.get(), nullptr, left, 0);
    if (count > 0) {
      left -= static_cast<std::size_t>(count);
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    const int code = errno;
    pipe.close();  // with what lies in it
    // A file system without splice, or a pipe that takes less than it said: memory does it.
    if (count < 0 && (code == EINVAL || code == EAGAIN)) return std::optional<int>();
    const char* operation = "reading a blob from the cache";
    if (count < 0) return Error::from_errno(code, operation);
    return Error(Errc::io, fmt::format("{}: its file ends {} bytes too early", operation, left));
  }
  return std::optional<int>(pipe.read_end.get());
}

}  // namespace berth::fuse
