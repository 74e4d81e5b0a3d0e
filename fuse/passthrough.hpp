// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "berth/base/sync.hpp"

#include "inodes.hpp"

namespace berth::fuse {

/// FUSE passthrough (Linux 6.9, Documentation/filesystems/fuse-passthrough.rst): the kernel reads a
/// complete blob from the cache's file by itself, and berthfs hears of its open and release alone.
/// libfuse knows of it from 3.17 on and Debian 12 has 3.14, so that it is agreed upon here, in the
/// first request and its answer as they pass by. Where the kernel, its settings or the rights of
/// this process do not give it, nothing changes. Thread safe.
class Passthrough {
 public:
  /// How the kernel reads an open file.
  struct Way {
    bool counted = false;      ///< closed() is owed
    std::int32_t backing = 0;  ///< of the kernel's table; 0: reads come to berthfs
  };

  /// Nothing is agreed upon after this. Before the session starts.
  void forbid() { allowed_ = false; }

  /// Each request as it came from the kernel, and the parts of each answer before they are sent:
  /// libfuse's, with the first answer changed where passthrough is to be had.
  void received(std::span<const std::byte> request);
  bool is_agreeing() const noexcept { return offered_ && !agreed_; }
  std::vector<iovec> sending(std::span<const iovec> parts);
  /// The connection to the kernel. Before the first open.
  void attach(int device) { device_ = device; }

  /// Agreed upon, and no file was refused since.
  bool active() const noexcept { return agreed_; }

  /// A file is opened; `file` has all its bytes, where there is such a one: it is only borrowed.
  /// All opens of an inode at one time are of one kind, or the kernel fails them.
  Way opened(Ino ino, std::optional<int> file);
  /// True when nobody has it open any more, its reads came to berthfs so far, and will not again
  /// once all its bytes are in a file: what the kernel kept of them is then of no more use.
  bool closed(Ino ino, const Way& way);

 private:
  struct Opens {
    std::uint64_t served = 0;   ///< whose reads come to berthfs
    std::uint64_t through = 0;  ///< whose reads go through
    std::int32_t backing = 0;
  };
  std::int32_t open_backing(int file);
  void close_backing(std::int32_t backing);

  std::atomic<bool> allowed_ = true;
  std::atomic<bool> offered_ = false;  ///< by the kernel
  std::atomic<bool> agreed_ = false;
  std::atomic<std::uint64_t> first_request_ = 0;
  std::vector<std::byte> first_answer_;  ///< written once, by the thread that sends it
  std::atomic<int> device_ = -1;
  Mutex mutex_;
  std::map<Ino, Opens> opens_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::fuse
