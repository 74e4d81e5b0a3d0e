// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>

#include "berth/base/clock.hpp"
#include "berth/base/sync.hpp"

namespace berth::registry {

/// What one client found out about its registry by asking, so that it asks once. Thread safe.
class Learned {
 public:
  /// There is no referrers API for this repository: held for five minutes, since registries are
  /// upgraded. By repository, because one odd 404 says little of a registry that others stand
  /// behind.
  void no_referrers_api(const std::string& repository, Clock::SteadyTime now);
  bool lacks_referrers_api(const std::string& repository, Clock::SteadyTime now) const;

  /// This origin answers HEAD of a manifest in no useful way.
  void no_head(const std::string& origin);
  bool lacks_head(const std::string& origin) const;

  /// Harbor's HEAD and GET differ in Content-Length: what HEAD said is kept until a GET of the same
  /// manifest shows whether it was true; an origin that lied once is asked by GET from then on.
  void head_said(const std::string& origin, const std::string& digest, std::uint64_t size);
  void get_showed(const std::string& origin, const std::string& digest, std::uint64_t size);

 private:
  mutable Mutex mutex_;
  std::unordered_map<std::string, Clock::SteadyTime> no_referrers_until_ BERTH_GUARDED_BY(mutex_);
  std::set<std::string> without_head_ BERTH_GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::uint64_t> sizes_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::registry
