// SPDX-License-Identifier: Apache-2.0
#include "cache/quota.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/cache/partial.hpp"

#include "cache/fault_point.hpp"
#include "cache/map_file.hpp"

namespace berth::cache {
namespace {

constexpr std::uint64_t kDefaultMost = 50ULL * 1024 * 1024 * 1024;
constexpr std::chrono::seconds kScanPause{10};

// File systems settle extents and folders late; what they may still take stays free.
std::uint64_t margin(std::uint64_t limit) {
  return std::min<std::uint64_t>(limit / 64, 1024 * 1024);
}

std::uint64_t free_space(const Folder& folder) {
  if (auto* hook = free_space_hook.load(std::memory_order_relaxed)) return hook();
  struct statvfs info{};
  if (::fstatvfs(folder.root(), &info) != 0) return 0;
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

std::uint64_t blocks(int root, const std::string& path) {
  struct stat info{};
  return ::fstatat(root, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 ? allocated(info) : 0;
}

// What no eviction gives back: berth's own files, and the folders that all else lies in.
std::uint64_t fixed_bytes(int root) {
  std::uint64_t bytes = blocks(root, ".");
  for (const std::string& name : names_in(root, ".")) bytes += blocks(root, name);
  for (const std::string folder : {"blobs", "remembered"}) {
    for (const std::string& name : names_in(root, folder))
      bytes += blocks(root, folder + "/" + name);
  }
  return bytes;
}

std::uint64_t count(int dir_fd, const std::string& name, std::set<ino_t>& several) {
  struct stat info{};
  if (::fstatat(dir_fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return 0;
  std::uint64_t bytes = allocated(info);
  if (!S_ISDIR(info.st_mode)) {
    return info.st_nlink > 1 && !several.insert(info.st_ino).second ? 0 : bytes;
  }
  for (const std::string& child : names_in(dir_fd, name)) {
    bytes += count(dir_fd, name + "/" + child, several);
  }
  // A partial blob keeps room beside what it takes, and gives back what it was charged with.
  if (!name.starts_with("./ingest/")) return bytes;
  return std::max(bytes, MapFile::charged_in(dir_fd, name + "/map"));
}

}  // namespace

std::uint64_t count_folder(const Folder& folder) {
  std::set<ino_t> several;
  return count(folder.root(), ".", several);
}

Quota::Quota(const Folder& folder, const SharedState& state, std::uint64_t limit)
    : folder_(folder),
      state_(state),
      own_limit_(limit),
      passing_(!state.in_session()) {}

void Quota::open() {
  // A count that is not right yet would make a full cache look like a full disk.
  const bool counted = state_.needs_scan() ? scan() : state_.in_session();
  const std::uint64_t held =
      counted || limit() != 0 ? used() : std::max(used(), count_folder(folder_));
  default_limit_ = std::min(kDefaultMost, (free_space(folder_) + held) / 10 * 9);
}

std::uint64_t Quota::limit() const noexcept {
  if (const std::uint64_t own = own_limit_.load()) return own;
  const std::uint64_t written = state_.data().limit.load();
  return written != 0 ? written : default_limit_;
}

void Quota::set_limit(std::uint64_t bytes) noexcept {
  state_.data().limit.store(bytes);
  own_limit_.store(bytes);
}

std::string Quota::remedy() const {
  const std::uint64_t free = free_space(folder_);
  const bool was_set = own_limit_.load() != 0 || state_.data().limit.load() != 0;
  // Nobody chose a limit that follows from a small disk: to raise it would not help.
  const bool disk_is_small = was_set ? free + used() < limit() : default_limit_ < kDefaultMost;
  if (disk_is_small) {
    return fmt::format(
        "the disk of {} has {} left: make room on it, or set BERTH_CACHE to a folder on a larger "
        "one",
        folder_.path().string(), text::format_size(free));
  }
  return fmt::format("raise the cache's limit of {} with `berth cache limit`",
                     text::format_size(limit()));
}

std::uint64_t Quota::usable() const noexcept { return limit() - margin(limit()); }

bool Quota::fits(std::uint64_t bytes) const {
  const std::uint64_t most = usable();
  if (bytes > most) return false;
  // Nearly always far from it: then there is no need to look.
  return bytes <= most / 2 || fixed_bytes(folder_.root()) <= most - bytes;
}

bool Quota::try_reserve(std::uint64_t bytes) noexcept {
  const std::uint64_t most = usable();
  std::uint64_t now = used();
  do {
    if (now > most || bytes > most - now) return false;
  } while (!state_.data().used.compare_exchange_weak(now, now + bytes));
  return true;
}

void Quota::release(std::uint64_t bytes) noexcept { state_.release(bytes); }

void Quota::spoil_scan() noexcept {
  if (!folder_.read_only()) state_.data().passed.fetch_add(1);
}

void Quota::begin_change() noexcept {
  const auto deadline = folder_.clock().ticks() + kStall;
  for (;;) {
    {
      MutexLock lock(mutex_);
      state_.join_session();
      if (!locked_ && !scanning_) {
        locked_ = try_lock(state_.fd(), LockKind::shared, SharedState::kChangeByte);
      }
      if (locked_) passing_ = false;
      if (!locked_ && folder_.clock().ticks() >= deadline) passing_ = true;
      // Whoever scans may be stopped: its figures will not count, and nobody waits for it again.
      if (passing_) spoil_scan();
      if (locked_ || passing_) {
        ++changes_;
        return;
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Quota::end_change() noexcept {
  MutexLock lock(mutex_);
  // Without the lock it kept no scan out that began after it: nor do the figures of that one count.
  if (!locked_) spoil_scan();
  if (--changes_ > 0 || !locked_) return;
  unlock(state_.fd(), SharedState::kChangeByte);
  locked_ = false;
}

bool Quota::scan() {
  {
    MutexLock lock(mutex_);
    if (scanning_ || changes_ > 0) return false;
    if (!try_lock(state_.fd(), LockKind::exclusive, SharedState::kChangeByte)) return false;
    scanning_ = true;
    last_scan_ = folder_.clock().ticks();
  }
  fault_point("quota.scan");
  const std::uint64_t passed = state_.data().passed.load();
  const std::uint64_t before = used();
  const std::uint64_t found = count_folder(folder_);
  // Evictions go on meanwhile and take off what they gave back: the difference is what counts.
  const bool counts = passed == state_.data().passed.load();
  if (counts) state_.data().used.fetch_add(found - before);

  MutexLock lock(mutex_);
  scanning_ = false;
  // Those who passed this one by hold the lock together from now on.
  locked_ = changes_ > 0 && try_lock(state_.fd(), LockKind::shared, SharedState::kChangeByte);
  if (!locked_) unlock(state_.fd(), SharedState::kChangeByte);
  return counts;
}

bool Quota::scan_again() {
  {
    MutexLock lock(mutex_);
    const auto now = folder_.clock().ticks();
    if (last_scan_ != Clock::SteadyTime{} && now - last_scan_ < kScanPause) return false;
  }
  scan();
  return true;
}

}  // namespace berth::cache
