// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "berth/base/sync.hpp"
#include "berth/http/message.hpp"

namespace berth::http {

/// A request's body between the caller, who makes it block by block, and the loop thread, which
/// gives it to curl. Holds limits::kQueueBytes: whoever makes it waits for the network, and the
/// network's thread waits for nobody.
class Outgoing {
 public:
  // --- The caller's side.

  struct Step {
    bool wanted = true;    ///< false: the answer is there, or the transfer ended; no more is taken
    bool unpause = false;  ///< the caller must ask the loop to send on
  };
  /// Waits for room.
  Result<Step> push(ByteView bytes, const Context& context);
  /// The body is complete.
  Step finish();

  // --- The loop thread's side.

  enum class Taken : unsigned char { bytes, pause, end, refused };
  struct Portion {
    Taken what = Taken::pause;
    std::size_t size = 0;
  };
  Portion take(std::span<std::byte> out);
  /// The answer came or the transfer ended: nobody will take more.
  void close();
  /// It waits for the caller, or has sent everything: silence is not the network's.
  bool waits_for_caller() const;
  bool sent_all() const;

 private:
  struct Block {
    std::vector<std::byte> bytes;
    std::size_t taken = 0;
  };

  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Block> queue_ BERTH_GUARDED_BY(mutex_);
  std::vector<std::vector<std::byte>> spare_ BERTH_GUARDED_BY(mutex_);
  std::size_t queued_ BERTH_GUARDED_BY(mutex_) = 0;
  bool paused_ BERTH_GUARDED_BY(mutex_) = false;
  bool complete_ BERTH_GUARDED_BY(mutex_) = false;
  bool sent_all_ BERTH_GUARDED_BY(mutex_) = false;
  bool closed_ BERTH_GUARDED_BY(mutex_) = false;
};

}  // namespace berth::http
