// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "berth/base/clock.hpp"
#include "berth/base/sync.hpp"
#include "berth/credential/credential.hpp"

namespace berth::credential {

/// What helpers answered, kept for a while, and one run however many wait. One that did not answer
/// in time would hang for its next server as well: for a while it is not asked. Thread safe.
class HelperAnswers {
 public:
  /// Berth's own routes lead to many helpers: that one hangs says nothing of the others.
  static constexpr const char* kRoutes = "berth";

  using Answer = Result<std::optional<Credential>>;

  HelperAnswers(Clock& clock, std::chrono::seconds timeout, std::chrono::seconds lifetime)
      : clock_(clock),
        timeout_(timeout),
        lifetime_(lifetime) {}

  using Ask = std::function<Answer(const Context& context)>;
  /// `ask` is called with a Context that has the helper's time, by one caller for all who wait.
  Answer ask(const std::string& name, const std::string& server_url, const Ask& ask,
             const Context& context);
  /// For a server, and what stands below it; answers of the last seconds stay.
  void forget(const std::string& server_url);

 private:
  using Key = std::pair<std::string, std::string>;  // helper, server URL
  struct Entry {
    bool running = false;
    std::optional<Answer> answer;
    Clock::SteadyTime given{};
    Clock::SteadyTime expires{};
  };
  struct Hung {
    std::string why;
    Clock::SteadyTime until{};
  };
  std::optional<Error> refuse_hung(const std::string& name, const std::string& server_url)
      BERTH_REQUIRES(mutex_);
  /// One run is over; nullopt: with nothing that others may have.
  void settle(const Key& key, const std::optional<Answer>& answer);

  Clock& clock_;
  std::chrono::seconds timeout_;
  std::chrono::seconds lifetime_;
  Mutex mutex_;
  CondVar done_;
  std::map<Key, Entry> entries_ BERTH_GUARDED_BY(mutex_);
  std::map<std::string, Hung> hung_ BERTH_GUARDED_BY(mutex_);  ///< by helper
};

}  // namespace berth::credential
