// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "berth/acr/purge.hpp"

#include "acr/core.hpp"
#include "acr/filter.hpp"
#include "acr/listing.hpp"

namespace berth::acr {

/// The inside of a Purge: the plan (purge_plan.cpp, purge_manifests.cpp).
struct Purge::Impl {
  struct Filter {
    Regex repository;  // anchored
    Regex tag;
    std::string literal;  // the repository, where the filter names one and no pattern; or ""
  };

  std::shared_ptr<Core> core;
  PurgeOptions options;
  std::vector<Filter> filters;

  /// Everything that a purge does in a repository, in one token.
  auth::Scopes scopes(const std::string& repository) const;

  /// A repository that is to be purged, and the filters that its tags are held against.
  struct Chosen {
    std::string name;
    std::vector<const Filter*> filters;
  };
  /// The time that matching has taken so far, against its limit.
  struct Budget {
    std::chrono::nanoseconds left;
  };
  std::optional<std::vector<Chosen>> named_repositories() const;
  Result<std::vector<Chosen>> choose(Budget& budget, const Context& context) const;
  Result<bool> matches(const Regex& regex, const std::string& text, Budget& budget) const;
  Result<void> plan_repository(const Chosen& repository, Timestamp cutoff, Budget& budget,
                               PurgePlan& plan, const Context& context) const;
  Result<ContainerRepositoryProperties> ask_repository(const std::string& repository,
                                                       const Context& context) const;
  Result<void> plan_tags(const Chosen& repository, std::uint64_t count, Timestamp cutoff,
                         Budget& budget, PurgePlan& plan, const Context& context) const;

  // purge_manifests.cpp
  using Listed = std::map<Digest, ArtifactManifestProperties>;
  /// All of them, `count` as of before the list.
  Result<Listed> list_manifests(const std::string& repository, std::uint64_t count,
                                const Context& context) const;
  Result<void> plan_manifests(const std::string& repository, std::uint64_t count, Timestamp cutoff,
                              PurgePlan& plan, const Context& context) const;
};

/// A tag or a manifest: acr-cli takes either for a lock, too.
inline bool is_locked(const std::optional<bool>& can_delete, const std::optional<bool>& can_write) {
  return can_delete == false || can_write == false;
}

}  // namespace berth::acr
