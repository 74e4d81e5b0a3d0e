// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace berth::content {

/// Small blobs and single ranges, which somebody waits for, must not queue behind whole large
/// blobs.
enum class TransferKind : unsigned char { bulk, brief };

struct SchedulerLimits {
  int threads = 64;              ///< over all registries
  int per_lane = 8;              ///< of one kind at one registry, at once
  std::chrono::seconds idle{5};  ///< after which a thread without work ends
};

/// Runs transfers on threads of its own, a bounded number of them. A place is held while a transfer
/// runs and never by an open reader that waits, so readers that stall cannot use them up. Thread
/// safe.
class Scheduler {
 public:
  explicit Scheduler(SchedulerLimits limits = {});
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// `lane` is the registry's name. `delay`: not before then. False: no thread could be started,
  /// and none runs that would take it, so it is dropped: submit again later.
  bool submit(const std::string& lane, TransferKind kind, std::function<void()> job,
              std::chrono::nanoseconds delay = {});
  /// Forgets what waits, and blocks until what runs has ended: tell it to stop first. What is
  /// submitted later is dropped. Never call it from a job.
  void shutdown();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace berth::content
