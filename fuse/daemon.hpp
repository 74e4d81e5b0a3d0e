// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "berth/base/fd.hpp"

namespace berth::fuse {

/// The word of a server to who started it: that it serves. Until then its standard error and its
/// exit status are what the user sees.
class Readiness {
 public:
  Readiness() = default;  ///< nobody waits: in the foreground
  explicit Readiness(Fd pipe)
      : pipe_(std::move(pipe)) {}

  /// Also tells systemd, where it asked for it (sd_notify(3), Type=notify). In the background it
  /// leaves the terminal first: a session of its own, stdio to /dev/null, the root folder.
  void serving();

 private:
  Fd pipe_;
};

/// Runs `serve` in a child of this process, and waits until that serves or ends: returns 0 or its
/// exit status. Call it before any thread is made: they do not survive a fork(2).
int run_in_background(const std::function<int(Readiness)>& serve);

}  // namespace berth::fuse
