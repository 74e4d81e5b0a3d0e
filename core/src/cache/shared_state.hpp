// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "cache/folder.hpp"
#include "cache/shared_file.hpp"

namespace berth::cache {

/// A time in which what was linked is on the disk for certain: of one boot, up to its last sync
/// point. In ns since 1970, by the modification times that seal() gives.
struct TrustedTime {
  std::atomic<std::int64_t> begin;
  std::atomic<std::int64_t> end;
};

/// Boots remembered; what was linked in an older one is hashed again. Losing trust is always safe.
inline constexpr std::size_t kTrustedTimes = 64;

/// What all processes on one folder share, as it lies in the file `state`. All of it can be made
/// again by a scan, except `limit`. Native byte order: the file belongs to one machine.
struct StateData {
  char magic[8];
  std::uint32_t version;
  std::atomic<std::uint32_t> clean;  ///< 1: the last process left in good order
  char boot_id[40];
  std::atomic<std::uint64_t> used;      ///< bytes of allocated blocks, and of reserved room
  std::atomic<std::uint64_t> limit;     ///< 0: never written down
  std::atomic<std::uint64_t> attempts;  ///< the last attempt's number, over all blobs
  std::atomic<std::uint64_t> passed;    ///< changes that did not wait for a scan
  TrustedTime trusted[kTrustedTimes];   ///< the first is this boot's
};

/// The open `state` file, and the two locks on it. Thread safe.
class SharedState {
 public:
  /// In a read-only folder without the file: an empty state that nobody shares.
  static Result<SharedState> open(const Folder& folder);
  SharedState(SharedState&&) = default;
  SharedState& operator=(SharedState&&) = default;
  ~SharedState();

  StateData& data() const noexcept { return *mapping_.at<StateData>(0); }
  /// Nobody else has the folder open; true only until share() is called.
  bool alone() const noexcept { return alone_; }
  /// The figures cannot be trusted: a new file, a process that was killed, another boot.
  bool needs_scan() const noexcept { return needs_scan_; }
  /// Joins the session where open() had to give up waiting for one who was alone and stopped. Kept
  /// apart by the caller.
  void join_session() const noexcept;
  /// False: open() gave up waiting, and whoever it waited for is still there.
  bool in_session() const noexcept { return in_session_; }
  /// Takes `bytes` off the count.
  void release(std::uint64_t bytes) const noexcept;
  /// Lets other processes in.
  void share() noexcept;
  /// The file was removed, with or without the folder around it.
  bool removed() const noexcept;
  std::uint64_t next_attempt() const noexcept;

  /// Was a blob with this modification time linked before a sync point of its boot?
  bool trusts(const Folder& folder, std::int64_t modified) const noexcept;
  /// A sync point: what was linked before `time` is on the disk.
  void set_synced(const Folder& folder, std::int64_t time) const noexcept;
  /// Something is linked at `time`: a clock that was set back must not make it look trusted.
  void distrust_from(std::int64_t time) const noexcept;
  int fd() const noexcept { return fd_.get(); }

  static constexpr std::uint64_t kSessionByte = 0;  ///< shared by every process on the folder
  static constexpr std::uint64_t kChangeByte = 1;   ///< shared by changes, exclusive for a scan

 private:
  SharedState(Fd fd, Mapping mapping)
      : fd_(std::move(fd)),
        mapping_(std::move(mapping)) {}

  void begin_boot(const Folder& folder) noexcept;
  bool is_of_boot(const Folder& folder) const noexcept;

  Fd fd_;
  Mapping mapping_;
  bool alone_ = false;
  mutable bool in_session_ = true;
  bool needs_scan_ = false;
  bool writable_ = false;
};

/// The clock that modification times are made from, in ns since 1970.
std::int64_t file_system_now() noexcept;

}  // namespace berth::cache
