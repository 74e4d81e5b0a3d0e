// SPDX-License-Identifier: Apache-2.0
#include "tree/properties.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"

namespace berth::tree {
namespace {

/// Subjects in memory, about 400 bytes each, and lists of manifests.
constexpr std::size_t kSubjects = 50'000;
constexpr std::size_t kLists = 64;
constexpr std::size_t kListed = 500'000;
/// Rights are given seldom, and a mount that was started before a login should notice it.
constexpr std::chrono::minutes kRefusalRest{5};

/// Times are kept to 100 ns, as they are told.
using Ticks = acr::Timestamp::Ticks;

template <class Model>
cache::RememberedProperties told_of(const Model& model) {
  return {model.created_on.since_1970().count(),
          model.last_updated_on.since_1970().count(),
          model.can_read,
          model.can_write,
          model.can_delete,
          model.can_list};
}

/// Asks the registry's management, which may have turned out not to be there meanwhile.
template <class Question>
auto ask_management(Asking& asking, const std::string& registry, const Context& context,
                    Question&& question)
    -> decltype(question(std::declval<content::Management&>())) {
  return asking.ask(
      registry, context,
      [&](content::Source& source) -> decltype(question(std::declval<content::Management&>())) {
        content::Management* management = source.management();
        if (management == nullptr) return content::no_properties(source);
        return question(*management);
      });
}

std::string words(const Subject& subject) { return "properties of " + subject.text(); }

std::string words(const Place& place) { return "manifests of " + place.text(); }

}  // namespace

std::string Subject::text() const {
  if (digest) return fmt::format("{}@{}", place.text(), digest->text());
  return tag.empty() ? place.text() : fmt::format("{}:{}", place.text(), tag);
}

PropertySet property_set(const acr::ArtifactTagProperties& tag) {
  PropertySet set;
  set.told = told_of(tag);
  set.digest = tag.digest;
  return set;
}

PropertySet property_set(const acr::ArtifactManifestProperties& manifest) {
  PropertySet set;
  set.told = told_of(manifest);
  set.size = manifest.size_in_bytes;
  set.media_type = manifest.media_type;
  return set;
}

PropertySet property_set(const acr::ContainerRepositoryProperties& repository) {
  PropertySet set;
  set.told = told_of(repository);
  set.manifest_count = repository.manifest_count;
  set.tag_count = repository.tag_count;
  return set;
}

std::int64_t updated_seconds(const cache::RememberedProperties& told) noexcept {
  return std::chrono::floor<std::chrono::seconds>(Ticks(told.updated)).count();
}

std::int64_t PropertySet::updated() const noexcept { return told ? updated_seconds(*told) : 0; }

std::vector<std::pair<std::string, std::string>> PropertySet::fields() const {
  std::vector<std::pair<std::string, std::string>> all;
  const auto may = [&](const char* name, const std::optional<bool>& can) {
    if (can) all.emplace_back(name, *can ? "true" : "false");
  };
  const auto number = [&](const char* name, const std::optional<std::uint64_t>& value) {
    if (value) all.emplace_back(name, std::to_string(*value));
  };
  if (told) {
    may("can_delete", told->can_delete);
    may("can_list", told->can_list);
    may("can_read", told->can_read);
    may("can_write", told->can_write);
    all.emplace_back("created", acr::Timestamp(Ticks(told->created)).text());
    all.emplace_back("updated", acr::Timestamp(Ticks(told->updated)).text());
  }
  if (digest) all.emplace_back("digest", digest->text());
  if (!media_type.empty()) all.emplace_back("media_type", media_type);
  number("size", size);
  number("manifest_count", manifest_count);
  number("tag_count", tag_count);
  std::ranges::sort(all);
  return all;
}

namespace {

PropertySetPtr set_of(const cache::RememberedTag& tag) {
  PropertySet set;
  set.told = tag.properties;
  set.digest = tag.digest;
  return std::make_shared<const PropertySet>(std::move(set));
}

}  // namespace

Properties::Properties(Asking& asking, Changed changed)
    : asking_(asking),
      changed_(std::move(changed)),
      kept_(kSubjects, kSubjects),
      manifests_(kLists, kListed) {}

bool Properties::offered(const Place& place) {
  if (asking_.is_layout() || place.repository.empty()) return false;
  if (!asking_.capabilities(place.registry).properties) return false;
  const MutexLock lock(mutex_);
  const auto refused = refused_.find(place.key());
  return refused == refused_.end() || asking_.clock().ticks() >= refused->second;
}

bool Properties::note_refusal(const Place& place, const Error& error) {
  if (error.code() != Errc::unsupported && !is_refusal(error)) return false;
  const MutexLock lock(mutex_);
  const auto until = asking_.clock().ticks() + kRefusalRest;
  if (refused_.insert_or_assign(place.key(), until).second) {
    log::info(fmt::format("{} does not show its properties: {}", place.text(), error.describe()));
  }
  return true;
}

Result<PropertySetPtr> Properties::get(const Subject& subject, const Context& context) {
  if (auto kept = fresh(subject)) return kept->set;
  if (asking_.away().resting(subject.place.registry)) {
    if (auto kept = older(subject)) return kept->set;
  }
  auto told = get_told(subject, context);
  if (told || !Away::is_away(told.error())) return told;
  if (auto kept = older(subject)) return kept->set;
  return told;
}

Result<PropertySetPtr> Properties::get_told(const Subject& subject, const Context& context) {
  const auto told = [&]() -> std::optional<Kept> {
    auto kept = fresh(subject);
    return kept && !kept->stale ? kept : std::nullopt;
  };
  if (auto kept = told()) return kept->set;
  if (context.is_nonblocking()) return Asking::would_block();
  const auto kept = TRY(flight_.run(subject.key(), context, [&]() -> Result<Kept> {
    if (auto known = told()) return *known;
    return fetch(subject, context);
  }));
  return kept.set;
}

PropertySetPtr Properties::known(const Subject& subject) {
  const MutexLock lock(mutex_);
  const Kept* found = kept_.get(subject.key());
  return found == nullptr ? nullptr : found->set;
}

Ttl Properties::left(const Subject& subject) {
  const MutexLock lock(mutex_);
  const Kept* found = kept_.get(subject.key());
  if (found == nullptr) return Ttl{0};
  return std::max(Ttl{0},
                  std::chrono::duration_cast<Ttl>(found->fresh_until - asking_.clock().ticks()));
}

std::optional<Properties::Kept> Properties::fresh(const Subject& subject) {
  const MutexLock lock(mutex_);
  const Kept* found = kept_.get(subject.key());
  if (found == nullptr || asking_.clock().ticks() >= found->fresh_until) return std::nullopt;
  return *found;
}

/// Of a tag also what another process, or an earlier one, remembered.
std::optional<Properties::Kept> Properties::older(const Subject& subject) {
  std::optional<Kept> kept;
  {
    const MutexLock lock(mutex_);
    if (const Kept* found = kept_.get(subject.key())) kept = *found;
  }
  if (!kept && !subject.tag.empty()) {
    const auto remembered =
        asking_.remembered().tag(subject.place.registry, subject.place.repository, subject.tag);
    if (!remembered || !remembered->properties) return std::nullopt;
    kept = Kept{set_of(*remembered), {}, remembered->checked};
  }
  if (!kept) return std::nullopt;
  kept->stale = true;
  asking_.away().served_stale(subject.place.registry, words(subject), kept->fetched);
  return keep(subject, *std::move(kept), Ttl{asking_.options().negative_ttl}, asking_.epoch());
}

Result<PropertySet> Properties::ask(const Subject& subject, const Context& context) {
  const Place& place = subject.place;
  return ask_management(
      asking_, place.registry, context,
      [&](content::Management& management) -> Result<PropertySet> {
        if (subject.digest) {
          return property_set(TRY(management.manifest(place.repository, *subject.digest, context)));
        }
        if (!subject.tag.empty()) {
          return property_set(TRY(management.tag(place.repository, subject.tag, context)));
        }
        return property_set(TRY(management.repository(place.repository, context)));
      });
}

Result<Properties::Kept> Properties::fetch(const Subject& subject, const Context& context) {
  const std::uint64_t epoch = asking_.epoch();
  auto answer = ask(subject, context);
  if (!answer) {
    if (Away::is_away(answer.error()) && context.check()) {
      asking_.away().failed(subject.place.registry, answer.error());
    }
    if (answer.error().code() == Errc::not_found) forget(subject);
    return answer.error();
  }
  asking_.away().answered(subject.place.registry, words(subject));
  return keep(subject,
              {std::make_shared<const PropertySet>(*std::move(answer)), {}, asking_.clock().now()},
              Ttl{asking_.options().tag_ttl}, epoch);
}

PropertySetPtr Properties::note(const Subject& subject, PropertySet set, std::uint64_t epoch) {
  return keep(subject,
              {std::make_shared<const PropertySet>(std::move(set)), {}, asking_.clock().now()},
              Ttl{asking_.options().tag_ttl}, epoch)
      .set;
}

void Properties::note_remembered(const Subject& subject, const cache::RememberedTag& tag,
                                 Ttl left) {
  keep(subject, {set_of(tag), {}, tag.checked}, left, asking_.epoch());
}

void Properties::forget(const Subject& subject) {
  const MutexLock lock(mutex_);
  kept_.erase(subject.key());
}

Clock::SteadyTime Properties::until(Ttl ttl, std::uint64_t epoch) {
  // A refresh() came while the registry was being asked: good for this answer, not for the next.
  return asking_.clock().ticks() + (epoch == asking_.epoch() ? ttl : Ttl{0});
}

Properties::Kept Properties::keep(const Subject& subject, Kept kept, Ttl ttl, std::uint64_t epoch) {
  // Under the lock that refresh() takes: one that comes between would not see it.
  const MutexLock lock(mutex_);
  kept.fresh_until = until(ttl, epoch);
  return kept_.put(subject.key(), std::move(kept));
}

namespace {

Result<acr::ChangeableProperties> change_of(std::string_view name, bool value) {
  acr::ChangeableProperties changes;
  if (name == "can_delete") {
    changes.can_delete = value;
  } else if (name == "can_list") {
    changes.can_list = value;
  } else if (name == "can_read") {
    changes.can_read = value;
  } else if (name == "can_write") {
    changes.can_write = value;
  } else {
    return Error(
        Errc::invalid_argument,
        fmt::format("{} cannot be set: can_read, can_write, can_delete and can_list can", name));
  }
  return changes;
}

}  // namespace

Result<PropertySetPtr> Properties::set(const Subject& subject, std::string_view name, bool value,
                                       const Context& context) {
  const acr::ChangeableProperties changes = TRY(change_of(name, value));
  const Place& place = subject.place;
  const std::uint64_t epoch = asking_.epoch();
  PropertySet now = TRY(ask_management(
      asking_, place.registry, context,
      [&](content::Management& management) -> Result<PropertySet> {
        if (subject.digest) {
          return property_set(
              TRY(management.update_manifest(place.repository, *subject.digest, changes, context)));
        }
        if (!subject.tag.empty()) {
          return property_set(
              TRY(management.update_tag(place.repository, subject.tag, changes, context)));
        }
        return property_set(TRY(management.update_repository(place.repository, changes, context)));
      }));
  PropertySetPtr kept = note(subject, std::move(now), epoch);
  if (!subject.tag.empty() && kept->digest) {
    // For other processes too: they would believe for a while what they were told before.
    asking_.remembered().set_tag(place.registry, place.repository, subject.tag,
                                 {*kept->digest, 0, "", "", {}, {}, kept->told});
  }
  log::info(fmt::format("set {} of {} to {}", name, subject.text(), value));
  changed_(subject);
  return kept;
}

Result<std::shared_ptr<const std::vector<Digest>>> Properties::manifests(const Place& place,
                                                                         const Context& context) {
  const auto known = [&]() -> std::optional<Listed> {
    const MutexLock lock(mutex_);
    const Listed* found = manifests_.get(place.key());
    if (found == nullptr || asking_.clock().ticks() >= found->fresh_until) return std::nullopt;
    return *found;
  };
  if (auto listed = known()) return listed->digests;
  if (context.is_nonblocking()) return Asking::would_block();
  const auto listed = TRY(manifests_flight_.run(place.key(), context, [&]() -> Result<Listed> {
    if (auto found = known()) return *found;
    auto fetched = fetch_manifests(place, context);
    return fetched ? fetched : instead_of_manifests(place, fetched.error(), context);
  }));
  return listed.digests;
}

Result<Properties::Listed> Properties::fetch_manifests(const Place& place, const Context& context) {
  const std::uint64_t epoch = asking_.epoch();
  std::vector<Digest> digests;
  std::string from;
  for (int page_number = 0; page_number < http::limits::kPages; ++page_number) {
    const auto page =
        TRY(ask_management(asking_, place.registry, context, [&](content::Management& management) {
          return management.list_manifests(place.repository, from, context);
        }));
    for (const acr::ArtifactManifestProperties& manifest : page.items) {
      digests.push_back(manifest.digest);
      note({place, "", manifest.digest}, property_set(manifest), epoch);
    }
    if (page.continuation_token.empty() || page.continuation_token == from) {
      asking_.away().answered(place.registry, words(place));
      std::ranges::sort(digests);
      const std::size_t cost = 1 + digests.size();
      const MutexLock lock(mutex_);  // before until(), as in keep()
      Listed listed{std::make_shared<const std::vector<Digest>>(std::move(digests)),
                    until(Ttl{asking_.options().tag_ttl}, epoch), asking_.clock().now()};
      return manifests_.put(place.key(), std::move(listed), cost);
    }
    from = page.continuation_token;
  }
  return Error(Errc::too_large, fmt::format("the list of {} does not end", words(place)));
}

Result<Properties::Listed> Properties::instead_of_manifests(const Place& place, const Error& error,
                                                            const Context& context) {
  if (!Away::is_away(error)) return error;
  if (context.check()) asking_.away().failed(place.registry, error);
  std::optional<Listed> listed;
  {
    const MutexLock lock(mutex_);
    if (Listed* found = manifests_.get(place.key())) {
      found->fresh_until = asking_.clock().ticks() + asking_.options().negative_ttl;
      listed = *found;
    }
  }
  if (!listed) return error;
  asking_.away().served_stale(place.registry, words(place), listed->fetched);
  return *listed;
}

void Properties::refresh() {
  const MutexLock lock(mutex_);
  // The values stay: they are what is shown while the registry is away.
  kept_.for_each([](const std::string&, Kept& kept) { kept.fresh_until = Clock::SteadyTime{}; });
  manifests_.for_each(
      [](const std::string&, Listed& listed) { listed.fresh_until = Clock::SteadyTime{}; });
  refused_.clear();
}

}  // namespace berth::tree
