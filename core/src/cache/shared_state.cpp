// SPDX-License-Identifier: Apache-2.0
#include "cache/shared_state.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <thread>

#include <fmt/format.h>

#include "berth/base/try.hpp"
#include "berth/cache/partial.hpp"

namespace berth::cache {
namespace {

constexpr const char* kName = "state";
constexpr std::size_t kSize = 4096;
constexpr char kMagic[8] = {'b', 'e', 'r', 't', 'h', 's', 't', '1'};

// As docs/cache-format.md has it.
static_assert(offsetof(StateData, used) == 56 && offsetof(StateData, trusted) == 88);
static_assert(sizeof(StateData) <= kSize);

bool is_valid(const StateData& data) {
  return std::memcmp(data.magic, kMagic, sizeof kMagic) == 0 && data.version == 1;
}

// Complete before it has its name: whoever opens it finds a whole file.
Result<void> create(const Folder& folder) {
  const std::string temporary = fmt::format("ingest/{}", temporary_name("state"));
  Fd fd = TRY(open_at(folder.root(), temporary, O_RDWR | O_CREAT | O_EXCL));
  auto filled = [&]() -> Result<void> {
    TRY(allocate(fd.get(), 0, kSize, Unsupported::write_zeros));
    Mapping mapping = TRY(Mapping::map(fd.get(), kSize, true));
    auto& data = *mapping.at<StateData>(0);
    std::memcpy(data.magic, kMagic, sizeof kMagic);
    data.version = 1;
    return {};
  }();
  // There already: another process was first. Not there any more: it was alone here, and cleaned
  // up.
  if (filled && ::linkat(folder.root(), temporary.c_str(), folder.root(), kName, 0) != 0 &&
      errno != EEXIST && errno != ENOENT) {
    filled = Error::from_errno(errno, fmt::format("writing {} in the cache", kName));
  }
  ::unlinkat(folder.root(), temporary.c_str(), 0);
  return filled;
}

Result<Fd> open_or_create(const Folder& folder) {
  const int flags = folder.read_only() ? O_RDONLY : O_RDWR;
  for (int attempt = 0;; ++attempt) {
    auto fd = open_at(folder.root(), kName, flags | O_NOFOLLOW);
    if (fd) {
      // A file of the wrong size would be SIGBUS under the mapping.
      struct stat info{};
      if (::fstat(fd->get(), &info) == 0 && info.st_size == kSize) return fd;
      if (!folder.read_only()) ::unlinkat(folder.root(), kName, 0);
    } else if (fd.error().code() != Errc::not_found) {
      return fd;
    }
    if (folder.read_only() || attempt > 3) {
      return Error(Errc::not_found, fmt::format("the cache {} has no state file that can be read",
                                                folder.path().string()));
    }
    TRY(create(folder));
  }
}

// Somebody alone on the folder may be counting it. A stopped one holds nobody up for longer than
// any other stopped process does.
bool wait_for_session(int fd) {
  const auto deadline = std::chrono::steady_clock::now() + kStall;
  while (!try_lock(fd, LockKind::shared, SharedState::kSessionByte)) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace

Result<SharedState> SharedState::open(const Folder& folder) {
  auto fd = open_or_create(folder);
  if (!fd && folder.read_only()) return SharedState(Fd{}, TRY(Mapping::map(-1, kSize, true)));
  if (!fd) return std::move(fd).error().with_context("opening the cache's state");

  Mapping mapping = TRY(Mapping::map(fd->get(), kSize, !folder.read_only()));
  SharedState state(std::move(*fd), std::move(mapping));
  if (folder.read_only()) return state;
  state.writable_ = true;
  state.alone_ = try_lock(state.fd(), LockKind::exclusive, kSessionByte);
  if (!state.alone_) {
    state.in_session_ = wait_for_session(state.fd());
    return state;
  }
  StateData& data = state.data();
  if (!is_valid(data)) {
    std::memset(static_cast<void*>(&data), 0, sizeof data);
    std::memcpy(data.magic, kMagic, sizeof kMagic);
    data.version = 1;
  }
  const bool same_boot = state.is_of_boot(folder);
  state.needs_scan_ = !same_boot || data.clean.load() == 0;
  if (!same_boot) state.begin_boot(folder);
  data.clean.store(0);
  // After a lost file the numbers must not begin again: time is further on than any count.
  const auto now = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(folder.clock().now().time_since_epoch())
          .count());
  if (data.attempts.load() < now) data.attempts.store(now);
  return state;
}

void SharedState::join_session() const noexcept {
  if (!in_session_) in_session_ = try_lock(fd(), LockKind::shared, kSessionByte);
}

void SharedState::release(std::uint64_t bytes) const noexcept {
  // Somebody else's `rm` inside the folder must not wrap the count round.
  std::uint64_t used = data().used.load();
  while (!data().used.compare_exchange_weak(used, used - std::min(used, bytes))) {
  }
}

void SharedState::share() noexcept {
  if (alone_) try_lock(fd(), LockKind::shared, kSessionByte);
  alone_ = false;
}

SharedState::~SharedState() {
  // The last one out says that all figures are right. Whoever is killed leaves 0 there.
  if (writable_ && fd_ && try_lock(fd(), LockKind::exclusive, kSessionByte)) data().clean.store(1);
}

bool SharedState::removed() const noexcept {
  struct stat info{};
  return fd_ && ::fstat(fd_.get(), &info) == 0 && info.st_nlink == 0;
}

bool SharedState::is_of_boot(const Folder& folder) const noexcept {
  const char* id = data().boot_id;
  return folder.boot_id() == std::string_view(id, ::strnlen(id, sizeof data().boot_id));
}

void SharedState::begin_boot(const Folder& folder) noexcept {
  auto& times = data().trusted;
  if (times[0].end.load() > times[0].begin.load()) {
    for (std::size_t i = kTrustedTimes - 1; i > 0; --i) {
      times[i].begin.store(times[i - 1].begin.load());
      times[i].end.store(times[i - 1].end.load());
    }
  }
  times[0].begin.store(file_system_now());
  times[0].end.store(0);
  std::memset(data().boot_id, 0, sizeof data().boot_id);
  std::memcpy(data().boot_id, folder.boot_id().data(),
              std::min(folder.boot_id().size(), sizeof data().boot_id - 1));
}

bool SharedState::trusts(const Folder& folder, std::int64_t modified) const noexcept {
  if (!is_of_boot(folder)) return false;  // whoever should begin this boot is stopped
  return std::any_of(std::begin(data().trusted), std::end(data().trusted),
                     [modified](const TrustedTime& time) {
                       return time.begin.load() <= modified && modified < time.end.load();
                     });
}

void SharedState::set_synced(const Folder& folder, std::int64_t time) const noexcept {
  if (!is_of_boot(folder)) return;
  auto& end = data().trusted[0].end;
  std::int64_t before = end.load();
  while (before < time && !end.compare_exchange_weak(before, time)) {
  }
}

void SharedState::distrust_from(std::int64_t time) const noexcept {
  for (TrustedTime& trusted : data().trusted) {
    std::int64_t end = trusted.end.load();
    while (end > time && !trusted.end.compare_exchange_weak(end, time)) {
    }
  }
}

std::int64_t file_system_now() noexcept {
  struct timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

std::uint64_t SharedState::next_attempt() const noexcept {
  return data().attempts.fetch_add(1) + 1;
}

}  // namespace berth::cache
