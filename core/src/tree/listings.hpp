// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tree/asking.hpp"
#include "tree/lru.hpp"
#include "tree/properties.hpp"

namespace berth::tree {

/// Sorted, distinct names. Immutable once shared.
struct NameList {
  std::vector<std::string> names;

  bool contains(std::string_view name) const;
  /// The first parts of what stands below `folder` ("" for the top): "a/b" and "a/c/d" below "a"
  /// are b and c.
  std::vector<std::string> children(std::string_view folder) const;
  /// Does anything stand below `folder`?
  bool has_below(std::string_view folder) const;
};
using NameListPtr = std::shared_ptr<const NameList>;

/// A list, and how long it may be believed.
struct Listing {
  NameListPtr names;
  Ttl ttl{0};
  bool stale = false;  ///< the registry is away: what is not here may yet be there
};

/// The repositories of a registry: its catalogue, or where it has none what was seen of it before.
struct Catalogue {
  NameListPtr names = nullptr;
  Ttl ttl{0};
  bool complete = false;  ///< the registry listed them: what is not here is absent
  bool stale = false;     ///< the registry is away, and this is what it listed before
  std::optional<Error> refusal =
      std::nullopt;           ///< why it did not list them: denied or unauthenticated
  std::string unlisted = {};  ///< not "": it lists them for nobody, and says so
};

/// Lists of tags and repositories, each asked for once in tag_ttl however many want it. Thread
/// safe.
class Listings {
 public:
  /// `changed` hears of names that came or went since the list before: from any thread.
  using Changed = std::function<void(const Place&, const std::string& name)>;
  /// `told` hears of tags whose list says where they lead; from before which epoch it was asked.
  using Told = std::function<void(const Place&, const std::vector<acr::ArtifactTagProperties>&,
                                  std::uint64_t epoch)>;
  Listings(Asking& asking, Properties& properties, Changed tag_changed, Changed repository_changed,
           Told told);

  /// not_found where there is no such repository; kept for negative_ttl.
  Result<Listing> tags(const Place& place, const Context& context);
  /// Is there such a repository? One page of its tags at most is asked for. Kept as tags() is.
  Result<bool> exists(const Place& place, const Context& context);
  /// Never an error where the registry answers at all: see Catalogue.
  Result<Catalogue> repositories(const std::string& registry, const Context& context);

  /// What can be told without asking; nullopt where nothing fresh is known.
  std::optional<Result<Listing>> fresh_tags(const Place& place);
  std::optional<Catalogue> fresh_repositories(const std::string& registry);

  /// This repository exists, whether or not a catalogue says so.
  void note_repository(const Place& place);
  /// What somebody named in this repository is there: a catalogue without it is older, or hides it.
  /// For the time to live it is found by its name, though in no list.
  void note_answer(const Place& place);
  bool has_answered(const Place& place);
  void refresh();

 private:
  struct Kept {
    NameListPtr names;  ///< nullptr when there is none
    Clock::SystemTime fetched;
    Clock::SteadyTime fresh_until;
    std::optional<Error> error;  ///< what the registry said instead of a list
    bool stale = false;
    NameListPtr merged;  ///< repositories: with those that were seen
  };
  enum class Kind : bool { tags, repositories };
  static std::string list_key(Kind kind, const std::string& place);
  /// In memory, or, where that is no longer fresh, what another process learned since.
  std::optional<Kept> kept(Kind kind, const Place& place) BERTH_EXCLUDES(mutex_);
  bool is_fresh(const Kept& kept);
  Ttl left(const Kept& kept);
  Result<Kept> fetch(Kind kind, const Place& place, const Context& context);
  Result<NameListPtr> fetch_names(Kind kind, const Place& place, const Context& context);
  Result<NameListPtr> fetch_told_tags(const Place& place, const Context& context);
  Kept keep(Kind kind, const Place& place, Kept value, Ttl ttl, std::uint64_t epoch);
  Result<Kept> instead_of_list(Kind kind, const Place& place, const Error& error,
                               std::uint64_t epoch);
  /// What was known before: in memory, else on disk; no names where nothing was.
  Kept older(Kind kind, const Place& place);
  std::optional<Kept> rest(Kind kind, const Place& place);
  NameListPtr seen_repositories(const std::string& registry);
  Catalogue catalogue(const std::string& registry, Kept kept);
  void note_unlisted(const std::string& registry, const Error& error) BERTH_EXCLUDES(mutex_);
  void tell_changes(Kind kind, const Place& place, const NameList& before, const NameList& now);

  Asking& asking_;
  Properties& properties_;
  const Changed tag_changed_;
  const Changed repository_changed_;
  const Told told_;
  SingleFlight<Kept> flight_;
  Mutex mutex_;
  Lru<Kept> kept_ BERTH_GUARDED_BY(mutex_);
  std::set<std::string> noted_ BERTH_GUARDED_BY(mutex_);      ///< keys of places
  std::set<std::string> unlisted_ BERTH_GUARDED_BY(mutex_);   ///< said of these registries
  Lru<Clock::SteadyTime> answered_ BERTH_GUARDED_BY(mutex_);  ///< the same: until when
};

}  // namespace berth::tree
