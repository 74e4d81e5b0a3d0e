// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "berth/base/sync.hpp"

#include "cache/shared_state.hpp"

namespace berth::cache {

/// The count of allocated blocks, over all processes. Room is added to the count before it is
/// taken on the disk and taken off after it was given back, so that a process killed in between
/// leaves the count too high, never too low; a scan puts it right. Thread safe.
class Quota {
 public:
  /// `limit` 0: the one in the state file, else one made from the file system's free space.
  /// All must outlive the quota.
  Quota(const Folder& folder, const SharedState& state, std::uint64_t limit);
  /// Counts the folder where the figure in the state file is not to be trusted, then tells the
  /// limit that nobody chose. Before anything else.
  void open();

  std::uint64_t used() const noexcept { return state_.data().used.load(); }
  std::uint64_t limit() const noexcept;
  /// Writes it down for all processes.
  void set_limit(std::uint64_t bytes) noexcept;
  /// What would make room, as Cache::remedy().
  std::string remedy() const;

  /// The part of the limit that is given out: file systems settle some blocks late.
  std::uint64_t usable() const noexcept;
  /// Could there be room for `bytes`, were all evicted that can be?
  bool fits(std::uint64_t bytes) const;
  /// Adds `bytes` unless that passes what is usable.
  bool try_reserve(std::uint64_t bytes) noexcept;
  /// What is on the disk already, reserved or not.
  void add(std::uint64_t bytes) noexcept { state_.data().used.fetch_add(bytes); }
  void release(std::uint64_t bytes) noexcept;

  /// Counts the whole folder. False: another process changed it meanwhile, and the count is what it
  /// was.
  bool scan();
  /// A scan, but not more than once in 10 s: the last resort before "no space".
  bool scan_again();

  /// Changes in flight keep scans out, so that a scan sees either all or nothing of one. One that
  /// has not ended after kStall is passed by, until it has.
  void begin_change() noexcept;
  void end_change() noexcept;

 private:
  /// What is being counted, in whatever process, is not what is there.
  void spoil_scan() noexcept;

  const Folder& folder_;
  const SharedState& state_;
  std::atomic<std::uint64_t> own_limit_;  ///< of this process; 0: none
  std::uint64_t default_limit_ = 0;
  Mutex mutex_;
  unsigned changes_ BERTH_GUARDED_BY(mutex_) = 0;
  bool locked_ BERTH_GUARDED_BY(mutex_) = false;   ///< the changes hold the lock
  bool passing_ BERTH_GUARDED_BY(mutex_) = false;  ///< a scan was passed by, and still has it
  bool scanning_ BERTH_GUARDED_BY(mutex_) = false;
  Clock::SteadyTime last_scan_ BERTH_GUARDED_BY(mutex_){};
};

/// What a file system may take beside a file's own blocks: a larger folder, an extent block.
inline constexpr std::uint64_t kSlack = 16 * 1024;

/// Bytes of allocated blocks of all below the folder, and of room kept by partial blobs; a file of
/// several names counts once.
std::uint64_t count_folder(const Folder& folder);

}  // namespace berth::cache
