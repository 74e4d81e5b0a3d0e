// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tree/asking.hpp"
#include "tree/lru.hpp"

namespace berth::tree {

/// What properties are of: a tag, a manifest, or (neither) a repository.
struct Subject {
  Place place;
  std::string tag{};
  std::optional<Digest> digest{};

  std::string key() const {
    return place.key() + '\n' + tag + '\n' + (digest ? digest->text() : std::string());
  }
  std::string text() const;  ///< "R/a:v1", for messages
};

/// What a registry told of one subject, as far as it did. Immutable once shared.
struct PropertySet {
  std::optional<cache::RememberedProperties> told{};
  std::optional<Digest> digest{};                          ///< that a tag leads to
  std::optional<std::uint64_t> size;                       ///< of all that a manifest names
  std::string media_type{};                                ///< of a manifest
  std::optional<std::uint64_t> manifest_count, tag_count;  ///< of a repository

  std::int64_t updated() const noexcept;  ///< unix seconds; 0 when not told
  /// Names and texts, sorted by name: the files of a folder of properties.
  std::vector<std::pair<std::string, std::string>> fields() const;
};
using PropertySetPtr = std::shared_ptr<const PropertySet>;

std::int64_t updated_seconds(const cache::RememberedProperties& told) noexcept;
PropertySet property_set(const acr::ArtifactTagProperties& tag);
PropertySet property_set(const acr::ArtifactManifestProperties& manifest);
PropertySet property_set(const acr::ContainerRepositoryProperties& repository);

/// Properties of repositories, tags and manifests where the registry has them (the capability
/// `properties`), each asked for once in tag_ttl however many want it. While the registry is away,
/// what was seen. Thread safe.
class Properties {
 public:
  using Changed = std::function<void(const Subject&)>;
  Properties(Asking& asking, Changed changed);

  /// May they be asked for here? Not where the registry has none, or did not let us see them.
  bool offered(const Place& place);
  /// `unsupported`, `denied` or `unauthenticated`: whoever can do without them goes on, and does
  /// not again for five minutes, or until refresh().
  bool note_refusal(const Place& place, const Error& error);

  /// not_found where there is no such subject.
  Result<PropertySetPtr> get(const Subject& subject, const Context& context);
  /// The same, and never what only stands in while the registry is away.
  Result<PropertySetPtr> get_told(const Subject& subject, const Context& context);
  /// What is in memory, of whatever age; nullptr where nothing is.
  PropertySetPtr known(const Subject& subject);
  Ttl left(const Subject& subject);  ///< of what is in memory

  /// A list or another answer told of it; `epoch` is Asking's from before the question.
  PropertySetPtr note(const Subject& subject, PropertySet set, std::uint64_t epoch);
  /// Another process was told so of a tag, `left` ago of tag_ttl.
  void note_remembered(const Subject& subject, const cache::RememberedTag& tag, Ttl left);
  void forget(const Subject& subject);
  /// Sets one of can_read, can_write, can_delete, can_list. Done when it returns.
  Result<PropertySetPtr> set(const Subject& subject, std::string_view name, bool value,
                             const Context& context);

  /// Every manifest that the registry lists, with its properties noted; kept for tag_ttl.
  Result<std::shared_ptr<const std::vector<Digest>>> manifests(const Place& place,
                                                               const Context& context);
  void refresh();

 private:
  struct Kept {
    PropertySetPtr set;
    Clock::SteadyTime fresh_until;
    Clock::SystemTime fetched;
    bool stale = false;  ///< stands in while the registry is away
  };
  struct Listed {
    std::shared_ptr<const std::vector<Digest>> digests;
    Clock::SteadyTime fresh_until;
    Clock::SystemTime fetched;
  };

  std::optional<Kept> fresh(const Subject& subject);
  std::optional<Kept> older(const Subject& subject);
  Result<Kept> fetch(const Subject& subject, const Context& context);
  Result<PropertySet> ask(const Subject& subject, const Context& context);
  Result<Listed> fetch_manifests(const Place& place, const Context& context);
  Result<Listed> instead_of_manifests(const Place& place, const Error& error,
                                      const Context& context);
  Kept keep(const Subject& subject, Kept kept, Ttl ttl, std::uint64_t epoch);
  Clock::SteadyTime until(Ttl ttl, std::uint64_t epoch);

  Asking& asking_;
  const Changed changed_;
  SingleFlight<Kept> flight_;
  SingleFlight<Listed> manifests_flight_;
  Mutex mutex_;
  Lru<Kept> kept_ BERTH_GUARDED_BY(mutex_);
  Lru<Listed> manifests_ BERTH_GUARDED_BY(mutex_);
  /// By keys of places: until when they are not asked for.
  std::map<std::string, Clock::SteadyTime> refused_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::tree
