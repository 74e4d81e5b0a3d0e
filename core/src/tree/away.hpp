// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "berth/base/clock.hpp"
#include "berth/base/sync.hpp"

namespace berth::tree {

/// Which registries do not answer, and what was served in their place: the text of .berth/offline.
/// Thread safe.
class Away {
 public:
  /// `rest`: for so long after a failure what is remembered is served without asking again.
  Away(Clock& clock, std::chrono::nanoseconds rest)
      : clock_(clock),
        rest_(rest) {}

  /// Errors that mean "it is away for now", for which older answers may stand in. A refusal is not
  /// one: who may not see something shall not see yesterday's copy of it unaware.
  static bool is_away(const Error& error) noexcept;

  /// Is there no point in asking again yet?
  bool resting(const std::string& registry);
  /// The failure of a registry that let a whole deadline pass, while it rests: asking it for
  /// something else would cost another one.
  std::optional<Error> silent(const std::string& registry);
  /// An answer from `since` was served for `what`; SystemTime{} where nobody knows how old it is.
  void served_stale(const std::string& registry, const std::string& what, Clock::SystemTime since);
  /// It did not answer; a question that ran into its deadline counts, a cancelled one does not come
  /// here (is_away).
  void failed(const std::string& registry, const Error& error);
  /// The registry answered for `what`.
  void answered(const std::string& registry, const std::string& what);
  /// Ask again at once.
  void refresh();

  std::string text();
  std::size_t stale_served() const;

 private:
  struct Registry {
    bool away = false;
    Clock::SystemTime since;
    Clock::SteadyTime ask_again;
    std::optional<Error> error;
    std::map<std::string, Clock::SystemTime> stale;  ///< what -> when it was true
  };

  Clock& clock_;
  const std::chrono::nanoseconds rest_;
  mutable Mutex mutex_;
  std::map<std::string, Registry> registries_ BERTH_GUARDED_BY(mutex_);
  std::size_t stale_served_ BERTH_GUARDED_BY(mutex_) = 0;
};

}  // namespace berth::tree
