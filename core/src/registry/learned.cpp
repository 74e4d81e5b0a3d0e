// SPDX-License-Identifier: Apache-2.0
#include "registry/learned.hpp"

#include <fmt/format.h>

#include "berth/base/log.hpp"

namespace berth::registry {
namespace {

constexpr std::chrono::minutes kReferrersKnowledge{5};
// Enough for the manifests of one listing; forgetting one costs nothing but a later discovery.
constexpr std::size_t kSizesKept = 4096;
constexpr std::size_t kRepositoriesKept = 4096;

}  // namespace

void Learned::no_referrers_api(const std::string& repository, Clock::SteadyTime now) {
  const MutexLock lock(mutex_);
  if (no_referrers_until_.size() >= kRepositoriesKept) no_referrers_until_.clear();
  no_referrers_until_[repository] = now + kReferrersKnowledge;
}

bool Learned::lacks_referrers_api(const std::string& repository, Clock::SteadyTime now) const {
  const MutexLock lock(mutex_);
  const auto until = no_referrers_until_.find(repository);
  return until != no_referrers_until_.end() && now < until->second;
}

void Learned::no_head(const std::string& origin) {
  const MutexLock lock(mutex_);
  without_head_.insert(origin);
}

bool Learned::lacks_head(const std::string& origin) const {
  const MutexLock lock(mutex_);
  return without_head_.contains(origin);
}

void Learned::head_said(const std::string& origin, const std::string& digest, std::uint64_t size) {
  const MutexLock lock(mutex_);
  if (sizes_.size() >= kSizesKept) sizes_.clear();
  sizes_[origin + " " + digest] = size;
}

void Learned::get_showed(const std::string& origin, const std::string& digest, std::uint64_t size) {
  const MutexLock lock(mutex_);
  const auto said = sizes_.find(origin + " " + digest);
  if (said == sizes_.end()) return;
  if (said->second != size && without_head_.insert(origin).second) {
    log::info(fmt::format("{}: HEAD gave {} bytes for a manifest of {}; asking by GET from now on",
                          origin, said->second, size));
  }
  sizes_.erase(said);
}

}  // namespace berth::registry
