// SPDX-License-Identifier: Apache-2.0
#include "passthrough.hpp"

#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "berth/base/error.hpp"
#include "berth/base/log.hpp"

namespace berth::fuse {
namespace {

// The kernel's side of the protocol, <linux/fuse.h> of 6.9. Older headers lack the last fields.
constexpr std::uint32_t kInit = 26;                          // FUSE_INIT
constexpr std::uint32_t kExtendedFlags = 1U << 30;           // FUSE_INIT_EXT
constexpr std::uint32_t kPassthroughFlag = 1U << (37 - 32);  // FUSE_PASSTHROUGH, in flags2
// Only files of a file system that lies on no other: more would forbid overlayfs to lie on a mount.
constexpr std::uint32_t kStackDepth = 1;

struct RequestHeader {
  std::uint32_t length, opcode;
  std::uint64_t unique, node;
  std::uint32_t uid, gid, pid, padding;
};
struct InitRequest {
  std::uint32_t major, minor, max_readahead, flags, flags2;
};
struct AnswerHeader {
  std::uint32_t length;
  std::int32_t error;
  std::uint64_t unique;
};
struct InitAnswer {
  std::uint32_t major, minor, max_readahead, flags;
  std::uint16_t max_background, congestion_threshold;
  std::uint32_t max_write, time_granularity;
  std::uint16_t max_pages, map_alignment;
  std::uint32_t flags2, max_stack_depth;
};
struct BackingMap {
  std::int32_t file;
  std::uint32_t flags;
  std::uint64_t padding;
};
constexpr unsigned long kOpenBacking = _IOW(229, 1, BackingMap);
constexpr unsigned long kCloseBacking = _IOW(229, 2, std::uint32_t);

template <class T>
std::optional<T> peek(std::span<const std::byte> bytes, std::size_t offset = 0) {
  if (bytes.size() < offset + sizeof(T)) return std::nullopt;
  T out;
  std::memcpy(&out, bytes.data() + offset, sizeof out);
  return out;
}

std::span<const std::byte> bytes_of(const iovec& part) {
  return {static_cast<const std::byte*>(part.iov_base), part.iov_len};
}

}  // namespace

void Passthrough::received(std::span<const std::byte> request) {
  if (!allowed_ || first_request_ != 0) return;
  const auto header = peek<RequestHeader>(request);
  const auto init = peek<InitRequest>(request, sizeof(RequestHeader));
  if (!header || !init || header->opcode != kInit) return;
  offered_ = (init->flags & kExtendedFlags) != 0 && (init->flags2 & kPassthroughFlag) != 0;
  first_request_ = header->unique;
}

std::vector<iovec> Passthrough::sending(std::span<const iovec> parts) {
  std::vector<iovec> sent(parts.begin(), parts.end());
  if (!is_agreeing() || parts.size() < 2) return sent;
  const auto header = peek<AnswerHeader>(bytes_of(parts[0]));
  auto answer = peek<InitAnswer>(bytes_of(parts[1]));
  if (!header || !answer || header->unique != first_request_ || header->error != 0) return sent;
  answer->flags |= kExtendedFlags;
  answer->flags2 |= kPassthroughFlag;
  answer->max_stack_depth = kStackDepth;
  const auto whole = bytes_of(parts[1]);
  first_answer_.assign(whole.begin(), whole.end());
  std::memcpy(first_answer_.data(), &*answer, sizeof *answer);
  sent[1] = {.iov_base = first_answer_.data(), .iov_len = first_answer_.size()};
  agreed_ = true;
  return sent;
}

std::int32_t Passthrough::open_backing(int file) {
  if (!agreed_) return 0;
  BackingMap map{.file = file, .flags = 0, .padding = 0};
  const int id = ::ioctl(device_, kOpenBacking, &map);
  if (id > 0) return id;
  const int code = errno;
  // Rights and file systems do not change while a mount lives; a lack of memory does.
  if (code == ENOMEM || code == ENFILE) return 0;
  agreed_ = false;
  log::info(
      fmt::format("complete blobs are read through berthfs: the kernel takes none itself ({})",
                  Error::from_errno(code, "passthrough").describe()));
  offered_ = false;
  return 0;
}

void Passthrough::close_backing(std::int32_t backing) {
  const auto id = static_cast<std::uint32_t>(backing);
  if (::ioctl(device_, kCloseBacking, &id) != 0) {
    log::warning(Error::from_errno(errno, "passthrough: giving a file back").describe());
  }
}

Passthrough::Way Passthrough::opened(Ino ino, std::optional<int> file) {
  MutexLock lock(mutex_);
  Opens& opens = opens_[ino];
  if (opens.served == 0 && opens.through == 0 && file) opens.backing = open_backing(*file);
  if (opens.backing != 0) {
    ++opens.through;
  } else {
    ++opens.served;
  }
  return {.counted = true, .backing = opens.backing};
}

bool Passthrough::closed(Ino ino, const Way& way) {
  if (!way.counted) return false;
  MutexLock lock(mutex_);
  const auto place = opens_.find(ino);
  if (place == opens_.end()) return false;
  Opens& opens = place->second;
  const bool through = way.backing != 0;
  --(through ? opens.through : opens.served);
  if (opens.served != 0 || opens.through != 0) return false;
  if (opens.backing != 0) close_backing(opens.backing);
  opens_.erase(place);
  return !through && agreed_;
}

}  // namespace berth::fuse
