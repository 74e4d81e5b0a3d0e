// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/acr/client.hpp"
#include "berth/acr/timestamp.hpp"
#include "berth/digest/digest.hpp"

/// Deleting what is old, with the meaning of `acr purge` of Azure/acr-cli: first a plan that says
/// what would go, then its execution.
namespace berth::acr {

/// What a longer age is taken for, as by acr-cli: 150 years of 365 days.
inline constexpr Timestamp::Ticks kMostAgo = std::chrono::hours(24 * 365 * 150);
/// "2d3h6m": days, and after them a duration of Go (h, m, s, ms, us, ns, with fractions); kMostAgo
/// for what is longer. Errc::invalid_argument else.
Result<Timestamp::Ticks> parse_ago(std::string_view text);

struct PurgeOptions {
  /// "REPOSITORY:TAG", regular expressions (PCRE2, with limits on the work of a match). The first
  /// must match the whole name, the second any part of a tag; just one ':' stands outside of
  /// "(?flags:" and of "[...]". Several for one repository: any of them. May be empty for
  /// Untagged::only, which then means every repository. Where all of them name repositories, and no
  /// patterns, the registry is not listed, and one that is not there is Errc::not_found.
  std::vector<std::string> filters{};
  /// Only what was last updated longer ago than this.
  Timestamp::Ticks ago{0};
  /// Of the tags that would be deleted, the newest so many of each repository stay.
  int keep = 0;
  /// Manifests without a tag, or without one that stays. What an index that stays names, what has a
  /// subject (referrers), and types that berth does not know stay in any case.
  enum class Untagged : std::uint8_t { no, also, only };
  Untagged untagged = Untagged::no;
  /// Unlocks what is locked (can_delete or can_write is false); else it stays. A repository that is
  /// locked itself is never unlocked: with can_delete=false it is left out of the plan, with
  /// can_write=false alone what the registry refuses stays, and with this it is left out as well.
  bool include_locked = false;
  int concurrency = 4;  ///< 1 to 32 requests at once
  int repository_page_size = 100;
  std::chrono::milliseconds filter_timeout{60'000};  ///< for all matching together
  /// A list that holds fewer than the repository counts is an error: of a list that was cut short
  /// one would delete what a missing index needs. Switch it off where lists hide content.
  bool verify_counts = true;
  /// Look again before each deletion, and leave alone what was tagged or moved since the plan.
  bool look_again = true;
  /// "R/a:v1" or "R/a@sha256:...", as each is deleted; from any of the threads, one at a time.
  std::function<void(const std::string& reference)> on_deleted{};
};

struct PurgeTag {
  std::string repository;
  std::string name;
  Digest digest;
  Timestamp last_updated_on;
  bool locked = false;
};

struct PurgeManifest {
  std::string repository;
  Digest digest;
  std::uint64_t size_in_bytes = 0;
  Timestamp last_updated_on;
  bool locked = false;
  std::vector<std::string> tags;          ///< that go before it
  std::vector<Digest> related_artifacts;  ///< what it names, when it is an index
};

/// What was left, and why.
struct PurgeSkipped {
  enum class Reason : std::uint8_t {
    locked,   ///< by a lock that came, or one of the repository
    changed,  ///< tagged, moved or updated since the plan
    needed,   ///< an index, or a tag, that names it was not deleted
    failed,   ///< `error` says why
  };
  std::string reference;
  Reason reason = Reason::failed;
  std::optional<Error> error{};
};

/// What would go. Nothing was changed yet.
struct PurgePlan {
  std::vector<PurgeTag> tags;
  std::vector<PurgeManifest> manifests;
  /// Repositories ("R/a") of which nothing is planned: a known login may not look into them.
  std::vector<PurgeSkipped> skipped{};
};

struct PurgeResult {
  std::size_t tags_deleted = 0;  ///< what had gone meanwhile counts as deleted
  std::size_t manifests_deleted = 0;
  std::vector<PurgeSkipped> skipped;
  /// The Context ended, or the registry refused the login: what was not tried then is not in
  /// `skipped`. A repository in which a known login lacks the right is skipped (Errc::denied).
  std::optional<Error> stopped_by{};
};

/// A purge of one registry. Thread safe; errors as in client.hpp.
class Purge {
 public:
  /// Errc::invalid_argument for options that contradict each other or cannot be read.
  static Result<Purge> create(const ContainerRegistryClient& client, PurgeOptions options);
  ~Purge();
  Purge(Purge&&) noexcept;
  Purge& operator=(Purge&&) noexcept;

  /// All of a repository or nothing of it, and an error unless that is Errc::denied: nothing is
  /// planned on half of what there is.
  Result<PurgePlan> plan(const Context& context) const;
  /// Tags first, then manifests, each index before what it names. Tokens are renewed on the way.
  PurgeResult execute(const PurgePlan& plan, const Context& context) const;

 private:
  struct Impl;
  explicit Purge(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::acr
