// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>

#include "berth/base/sync.hpp"

namespace berth::registry {

/// Lets one at a time work on what bears a name, over calls that wait for the network: no lock is
/// held meanwhile. Thread safe.
class Turns {
 public:
  class Turn {
   public:
    Turn(Turns& turns, std::string name)
        : turns_(&turns),
          name_(std::move(name)) {}
    Turn(Turn&& other) noexcept
        : turns_(std::exchange(other.turns_, nullptr)),
          name_(std::move(other.name_)) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    Turn& operator=(Turn&&) = delete;
    ~Turn();

   private:
    Turns* turns_;
    std::string name_;
  };

  /// Waits until nobody else has it.
  Result<Turn> take(const std::string& name, const Context& context);

 private:
  Mutex mutex_;
  CondVar changed_;
  std::set<std::string> taken_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::registry
