// SPDX-License-Identifier: Apache-2.0
#include "cache/recency.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"

namespace berth::cache {
namespace {

constexpr const char* kName = "recency";
constexpr char kMagic[8] = {'b', 'e', 'r', 't', 'h', 'r', 'c', '1'};
constexpr std::uint64_t kEntrySize = 16;
// An entry lies within these places from where its key points.
constexpr std::uint64_t kPlaces = 16;

// About one entry for each 64 KiB of the cache: 4 KiB to 1 MiB of table.
std::uint64_t capacity_for(std::uint64_t limit) {
  return std::bit_floor(std::clamp<std::uint64_t>(limit / (64 * 1024), 256, 65536));
}

std::uint64_t key_of(const Digest& digest) {
  std::uint64_t key = 0;
  const std::string_view hex = digest.hex().substr(0, 16);
  std::from_chars(hex.data(), hex.data() + hex.size(), key, 16);
  return (key ^ static_cast<std::uint64_t>(digest.algorithm())) | 1;  // never 0
}

Result<Fd> create(const Folder& folder, std::uint64_t size) {
  const std::string temporary = fmt::format("ingest/{}", temporary_name("recency"));
  Fd fd = TRY(open_at(folder.root(), temporary, O_RDWR | O_CREAT | O_EXCL));
  auto filled = allocate(fd.get(), 0, size, Unsupported::write_zeros);
  if (filled) filled = pwrite_all(fd.get(), std::as_bytes(std::span(kMagic)), 0);
  const bool linked =
      filled && ::linkat(folder.root(), temporary.c_str(), folder.root(), kName, 0) == 0;
  ::unlinkat(folder.root(), temporary.c_str(), 0);
  if (linked) return fd;
  if (!filled) return std::move(filled).error();
  return open_at(folder.root(), kName, O_RDWR | O_NOFOLLOW);
}

}  // namespace

Recency::Recency(const Folder& folder, std::uint64_t limit)
    : folder_(folder) {
  if (folder.read_only()) return;
  if (auto opened = open(limit); !opened) {
    log::debug("cache: no table of uses: " + opened.error().describe());
  }
}

Result<void> Recency::open(std::uint64_t limit) {
  auto fd = open_at(folder_.root(), kName, O_RDWR | O_NOFOLLOW);
  if (!fd && fd.error().code() == Errc::not_found) {
    fd = create(folder_, kHeader + capacity_for(limit) * kEntrySize);
  }
  if (!fd) return std::move(fd).error();
  struct stat info{};
  if (::fstat(fd->get(), &info) != 0) return Error::from_errno(errno, "looking at recency");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  const std::uint64_t places = size > kHeader ? (size - kHeader) / kEntrySize : 0;
  char magic[8] = {};
  if (places >= kPlaces) {
    TRY(pread_exact(fd->get(), std::as_writable_bytes(std::span(magic)), 0));
  }
  if (std::memcmp(magic, kMagic, sizeof kMagic) != 0) {
    // Nothing is lost with it but an order: the next process makes a new one.
    ::unlinkat(folder_.root(), kName, 0);
    return Error(Errc::corrupt, "the file recency is not one of this version");
  }
  mapping_ = TRY(Mapping::map(fd->get(), size, true));
  capacity_ = std::bit_floor(places);
  return {};
}

void Recency::touch(const Digest& digest) noexcept {
  if (capacity_ == 0) return;
  // Two uses within a microsecond, or under a clock that stands, still have their order.
  std::int64_t stamp = std::chrono::duration_cast<std::chrono::microseconds>(
                           folder_.clock().now().time_since_epoch())
                           .count();
  std::int64_t latest = latest_.load();
  do {
    stamp = std::max(stamp, latest + 1);
  } while (!latest_.compare_exchange_weak(latest, stamp));

  const std::uint64_t key = key_of(digest);
  Entry* oldest = nullptr;
  for (std::uint64_t i = 0; i < kPlaces; ++i) {
    Entry& entry = entries()[(key / 2 + i) & (capacity_ - 1)];
    std::uint64_t found = entry.key.load(std::memory_order_relaxed);
    if (found == 0) entry.key.compare_exchange_strong(found, key);
    if (found == 0 || found == key) {
      entry.stamp.store(stamp, std::memory_order_relaxed);
      return;
    }
    if (oldest == nullptr || entry.stamp.load() < oldest->stamp.load()) oldest = &entry;
  }
  oldest->key.store(key);
  oldest->stamp.store(stamp);
}

std::int64_t Recency::last_used(const Digest& digest) const noexcept {
  const std::uint64_t key = key_of(digest);
  for (std::uint64_t i = 0; i < kPlaces && capacity_ != 0; ++i) {
    const Entry& entry = entries()[(key / 2 + i) & (capacity_ - 1)];
    const std::uint64_t found = entry.key.load(std::memory_order_relaxed);
    if (found == key) return entry.stamp.load(std::memory_order_relaxed);
    if (found == 0) break;
  }
  return 0;
}

}  // namespace berth::cache
