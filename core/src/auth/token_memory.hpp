// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "berth/auth/token_credential.hpp"
#include "berth/base/single_flight.hpp"
#include "berth/base/sync.hpp"

namespace berth::auth {

/// The tokens of one credential by what they are for. One is fetched anew five minutes before its
/// end, or from when Entra ID says so; once, however many threads wait. Thread safe.
class TokenMemory {
 public:
  explicit TokenMemory(Clock& clock)
      : clock_(clock) {}

  using Fetch = std::function<Result<AccessToken>()>;
  /// When no new one can be had for now, the old one does until its end.
  Result<AccessToken> get(const TokenRequest& request, const Context& context, const Fetch& fetch);

 private:
  std::optional<AccessToken> held(const std::string& key, bool to_the_end) const;

  Clock& clock_;
  SingleFlight<AccessToken> flights_;
  mutable Mutex mutex_;
  std::map<std::string, AccessToken> tokens_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::auth
