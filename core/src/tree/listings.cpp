// SPDX-License-Identifier: Apache-2.0
#include "tree/listings.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"
#include "berth/oci/reference.hpp"

namespace berth::tree {
namespace {

/// Names of one list. The pages are limited by http; a layout, or a registry whose pages are huge,
/// by this: a million names are about 60 MB.
constexpr std::size_t kListLimit = 1'000'000;
/// Lists in memory, and the names in them.
constexpr std::size_t kLists = 512;
constexpr std::size_t kListedNames = 2'000'000;

NameListPtr make_list(std::vector<std::string> names) {
  std::ranges::sort(names);
  const auto rest = std::ranges::unique(names);
  names.erase(rest.begin(), rest.end());
  return std::make_shared<const NameList>(NameList{std::move(names)});
}

std::string below(std::string_view folder) {
  return folder.empty() ? std::string() : std::string(folder) + '/';
}

/// Names that break the grammar cannot be asked for, and might not be file names at all.
void drop_strange(std::vector<std::string>& names, bool tags, const std::string& where) {
  const std::size_t dropped = std::erase_if(names, [&](const std::string& name) {
    return !(tags ? oci::is_tag(name) : oci::is_repository(name));
  });
  if (dropped > 0) {
    log::info(
        fmt::format("{} lists {} names that are none by the distribution specification; "
                    "they are not shown",
                    where, dropped));
  }
}

std::string words(bool tags, const Place& place) {
  return tags ? "tags of " + place.text() : "repositories";
}

/// Is this what the registry says about the list, and not about the way to it?
bool is_answer(const Error& error) {
  switch (error.code()) {
    case Errc::not_found:
    case Errc::unsupported:
      return true;
    case Errc::denied:
    case Errc::unauthenticated:
      return is_refusal(error);
    case Errc::invalid_argument:
      return error.http() != nullptr;  // else it is an option of ours that is wrong
    default:
      return false;
  }
}

}  // namespace

bool NameList::contains(std::string_view name) const {
  return std::ranges::binary_search(names, name, std::less<>{});
}

std::vector<std::string> NameList::children(std::string_view folder) const {
  const std::string prefix = below(folder);
  std::vector<std::string> found;
  for (auto at = std::ranges::lower_bound(names, prefix, std::less<>{});
       at != names.end() && at->starts_with(prefix); ++at) {
    const std::size_t end = at->find('/', prefix.size());
    std::string child = at->substr(prefix.size(), end - prefix.size());
    // Not always beside its equals: "a-b" sorts between "a" and "a/c".
    if (!child.empty()) found.push_back(std::move(child));
  }
  std::ranges::sort(found);
  const auto rest = std::ranges::unique(found);
  found.erase(rest.begin(), rest.end());
  return found;
}

bool NameList::has_below(std::string_view folder) const {
  const std::string prefix = below(folder);
  const auto at = std::ranges::lower_bound(names, prefix, std::less<>{});
  return at != names.end() && at->starts_with(prefix);
}

Listings::Listings(Asking& asking, Properties& properties, Changed tag_changed,
                   Changed repository_changed, Told told)
    : asking_(asking),
      properties_(properties),
      tag_changed_(std::move(tag_changed)),
      repository_changed_(std::move(repository_changed)),
      told_(std::move(told)),
      kept_(kLists, kListedNames),
      answered_(kLists, kLists) {}

Result<Listing> Listings::tags(const Place& place, const Context& context) {
  const Kept list = TRY(fetch(Kind::tags, place, context));
  if (list.error) return *list.error;
  return Listing{list.names, left(list), list.stale};
}

std::optional<Result<Listing>> Listings::fresh_tags(const Place& place) {
  const auto list = kept(Kind::tags, place);
  if (!list || !is_fresh(*list)) return std::nullopt;
  if (list->error) return Result<Listing>(*list->error);
  return Result<Listing>(Listing{list->names, left(*list), list->stale});
}

Result<bool> Listings::exists(const Place& place, const Context& context) {
  {
    const MutexLock lock(mutex_);
    if (noted_.contains(place.key())) return true;
  }
  const auto answer = [](const Kept& list) -> Result<bool> {
    if (!list.error) return true;
    if (list.error->code() == Errc::not_found) return false;
    return *list.error;
  };
  if (const auto list = kept(Kind::tags, place); list && is_fresh(*list)) return answer(*list);
  auto list = flight_.run("p\n" + place.key(), context, [&]() -> Result<Kept> {
    const std::uint64_t epoch = asking_.epoch();
    auto page = asking_.ask(place.registry, context, [&](content::Source& source) {
      return source.list_tags(place.repository, "", context);
    });
    if (!page) return instead_of_list(Kind::tags, place, page.error(), epoch);
    note_repository(place);
    return Kept{};
  });
  if (!list) return list.error();
  return answer(*list);
}

Result<Catalogue> Listings::repositories(const std::string& registry, const Context& context) {
  if (!asking_.capabilities(registry).list_repositories) {
    return Catalogue{.names = seen_repositories(registry), .ttl = Ttl{asking_.options().tag_ttl}};
  }
  auto list = fetch(Kind::repositories, {registry, ""}, context);
  if (list) return catalogue(registry, *std::move(list));
  if (!Away::is_away(list.error())) return list.error();
  NameListPtr seen = seen_repositories(registry);
  if (seen->names.empty()) return list.error();
  // They were seen one by one, at times that nobody wrote down.
  asking_.away().served_stale(registry, "repositories", Clock::SystemTime{});
  return Catalogue{
      .names = std::move(seen), .ttl = Ttl{asking_.options().negative_ttl}, .stale = true};
}

std::optional<Catalogue> Listings::fresh_repositories(const std::string& registry) {
  if (!asking_.capabilities(registry).list_repositories) return std::nullopt;
  auto list = kept(Kind::repositories, {registry, ""});
  if (!list || !is_fresh(*list)) return std::nullopt;
  return catalogue(registry, *std::move(list));
}

Catalogue Listings::catalogue(const std::string& registry, Kept list) {
  Catalogue made{.names = list.names, .ttl = left(list), .stale = list.stale};
  // A catalogue without any name is what registries give that do not want to list (and nothing is
  // lost by asking an empty registry).
  made.complete = list.names && !list.names->names.empty() && !list.stale;
  if (list.error && is_refusal(*list.error)) made.refusal = list.error;
  if (list.error && list.error->code() == Errc::unsupported) made.unlisted = list.error->message();
  if (made.complete) return made;
  NameListPtr seen = list.merged ? list.merged : seen_repositories(registry);
  if (list.names && !list.names->names.empty()) {
    std::vector<std::string> all = list.names->names;
    all.insert(all.end(), seen->names.begin(), seen->names.end());
    seen = make_list(std::move(all));
  }
  made.names = seen;
  if (!list.merged) {
    const MutexLock lock(mutex_);
    if (Kept* place = kept_.get(list_key(Kind::repositories, registry + '\n')))
      place->merged = seen;
  }
  return made;
}

NameListPtr Listings::seen_repositories(const std::string& registry) {
  std::vector<std::string> names = asking_.remembered().repositories(registry);
  const std::string prefix = registry + '\n';
  const MutexLock lock(mutex_);
  for (auto at = noted_.lower_bound(prefix); at != noted_.end() && at->starts_with(prefix); ++at) {
    names.push_back(at->substr(prefix.size()));
  }
  std::erase_if(names, [](const std::string& name) { return !oci::is_repository(name); });
  return make_list(std::move(names));
}

void Listings::note_repository(const Place& place) {
  const MutexLock lock(mutex_);
  if (!noted_.insert(place.key()).second) return;
  if (Kept* list = kept_.get(list_key(Kind::repositories, place.registry + '\n')))
    list->merged = nullptr;
}

void Listings::note_answer(const Place& place) {
  const MutexLock lock(mutex_);
  answered_.put(place.key(), asking_.clock().ticks() + Ttl{asking_.options().tag_ttl});
}

bool Listings::has_answered(const Place& place) {
  const MutexLock lock(mutex_);
  const Clock::SteadyTime* until = answered_.get(place.key());
  return until != nullptr && asking_.clock().ticks() < *until;
}

std::string Listings::list_key(Kind kind, const std::string& place) {
  return (kind == Kind::tags ? "t\n" : "r\n") + place;
}

std::optional<Listings::Kept> Listings::kept(Kind kind, const Place& place) {
  const std::uint64_t epoch = asking_.epoch();
  std::optional<Kept> before;
  {
    const MutexLock lock(mutex_);
    if (const Kept* found = kept_.get(list_key(kind, place.key()))) before = *found;
  }
  if (before && is_fresh(*before)) return before;
  auto remembered = asking_.remembered().list(place.registry, place.repository);
  // One that is no newer than memory's is our own, written down.
  if (!remembered || !asking_.is_fresh(place, remembered->fetched) ||
      (before && remembered->fetched <= before->fetched)) {
    return before;
  }
  Kept value;
  value.names = make_list(std::move(remembered->names));
  value.fetched = remembered->fetched;
  value = keep(kind, place, std::move(value), asking_.left(remembered->fetched), epoch);
  if (!before) return value;
  asking_.away().answered(place.registry, words(kind == Kind::tags, place));
  if (before->names) tell_changes(kind, place, *before->names, *value.names);
  return value;
}

bool Listings::is_fresh(const Kept& kept) { return asking_.clock().ticks() < kept.fresh_until; }

Ttl Listings::left(const Kept& kept) {
  const auto left = std::chrono::duration_cast<Ttl>(kept.fresh_until - asking_.clock().ticks());
  return std::max(Ttl{0}, left);
}

Result<Listings::Kept> Listings::fetch(Kind kind, const Place& place, const Context& context) {
  if (auto list = kept(kind, place); list && is_fresh(*list)) return *list;
  if (auto list = rest(kind, place)) return *list;
  const std::string key = list_key(kind, place.key());
  return flight_.run(key, context, [&]() -> Result<Kept> {
    if (auto list = kept(kind, place); list && is_fresh(*list)) return *list;
    const std::uint64_t epoch = asking_.epoch();
    auto names = fetch_names(kind, place, context);
    if (!names) return instead_of_list(kind, place, names.error(), epoch);
    asking_.away().answered(place.registry, words(kind == Kind::tags, place));
    const NameListPtr before = older(kind, place).names;
    if (!asking_.is_layout()) {
      asking_.remembered().set_list(place.registry, place.repository, (*names)->names);
    }
    if (kind == Kind::tags) note_repository(place);
    Kept value;
    value.names = *names;
    value.fetched = asking_.clock().now();
    value = keep(kind, place, std::move(value), Ttl{asking_.options().tag_ttl}, epoch);
    if (before) tell_changes(kind, place, *before, **names);
    return value;
  });
}

/// One listing in place of a HEAD for each tag.
Result<NameListPtr> Listings::fetch_told_tags(const Place& place, const Context& context) {
  const std::uint64_t epoch = asking_.epoch();
  std::vector<acr::ArtifactTagProperties> tags;
  std::string from;
  for (int page_number = 0; page_number < http::limits::kPages; ++page_number) {
    using Page = acr::Page<acr::ArtifactTagProperties>;
    Page page =
        TRY(asking_.ask(place.registry, context, [&](content::Source& source) -> Result<Page> {
          content::Management* management = source.management();
          if (management == nullptr) return content::no_properties(source);
          return management->list_tags(place.repository, from, context);
        }));
    tags.insert(tags.end(), std::make_move_iterator(page.items.begin()),
                std::make_move_iterator(page.items.end()));
    if (tags.size() > kListLimit) break;
    if (page.continuation_token.empty() || page.continuation_token == from) {
      std::erase_if(tags, [](const auto& tag) { return !oci::is_tag(tag.name); });
      told_(place, tags, epoch);
      std::vector<std::string> names;
      names.reserve(tags.size());
      for (auto& tag : tags) names.push_back(std::move(tag.name));
      return make_list(std::move(names));
    }
    from = std::move(page.continuation_token);
  }
  return Error(Errc::too_large, fmt::format("the list of {} does not end", place.text()));
}

Result<NameListPtr> Listings::fetch_names(Kind kind, const Place& place, const Context& context) {
  if (kind == Kind::tags && properties_.offered(place) &&
      asking_.capabilities(place.registry).tag_list_has_digests) {
    auto told = fetch_told_tags(place, context);
    if (told || !properties_.note_refusal(place, told.error())) return told;
  }
  std::vector<std::string> names;
  std::string from;
  for (int page_number = 0; page_number < http::limits::kPages; ++page_number) {
    registry::Page page = TRY(asking_.ask(place.registry, context, [&](content::Source& source) {
      return kind == Kind::tags ? source.list_tags(place.repository, from, context)
                                : source.list_repositories(from, context);
    }));
    names.insert(names.end(), std::make_move_iterator(page.names.begin()),
                 std::make_move_iterator(page.names.end()));
    if (names.size() > kListLimit) break;
    if (page.next.empty() || page.next == from) {
      drop_strange(names, kind == Kind::tags, place.text());
      return make_list(std::move(names));
    }
    from = std::move(page.next);
  }
  return Error(Errc::too_large, fmt::format("the list of {} does not end", place.text()));
}

Listings::Kept Listings::keep(Kind kind, const Place& place, Kept value, Ttl ttl,
                              std::uint64_t epoch) {
  const std::size_t cost = 1 + (value.names ? value.names->names.size() : 0);
  // Under the lock that refresh() takes: one that comes between would not see it.
  const MutexLock lock(mutex_);
  // A refresh() came while the registry was being asked: good for this answer, not for the next.
  value.fresh_until = asking_.clock().ticks() + (epoch == asking_.epoch() ? ttl : Ttl{0});
  return kept_.put(list_key(kind, place.key()), std::move(value), cost);
}

Listings::Kept Listings::older(Kind kind, const Place& place) {
  {
    const MutexLock lock(mutex_);
    const Kept* found = kept_.get(list_key(kind, place.key()));
    if (found != nullptr && found->names) return *found;
  }
  Kept value;
  if (asking_.is_layout()) return value;
  if (auto list = asking_.remembered().list(place.registry, place.repository)) {
    value.names = make_list(std::move(list->names));
    value.fetched = list->fetched;
  }
  return value;
}

std::optional<Listings::Kept> Listings::rest(Kind kind, const Place& place) {
  if (!asking_.away().resting(place.registry)) return std::nullopt;
  Kept value = older(kind, place);
  if (!value.names) return std::nullopt;
  value.stale = true;
  asking_.away().served_stale(place.registry, words(kind == Kind::tags, place), value.fetched);
  return keep(kind, place, std::move(value), Ttl{asking_.options().negative_ttl}, asking_.epoch());
}

Result<Listings::Kept> Listings::instead_of_list(Kind kind, const Place& place, const Error& error,
                                                 std::uint64_t epoch) {
  const Ttl absent{asking_.options().negative_ttl};
  if (Away::is_away(error)) {
    asking_.away().failed(place.registry, error);
    Kept value = older(kind, place);
    if (!value.names) return error;
    value.stale = true;
    asking_.away().served_stale(place.registry, words(kind == Kind::tags, place), value.fetched);
    return keep(kind, place, std::move(value), absent, epoch);
  }
  if (!is_answer(error)) return error;
  if (kind == Kind::tags && error.code() == Errc::not_found) {
    const MutexLock lock(mutex_);
    noted_.erase(place.key());
  }
  Kept value;
  value.error = error;
  value.fetched = asking_.clock().now();
  const bool lasting = error.code() == Errc::unsupported;
  if (lasting && kind == Kind::repositories) note_unlisted(place.registry, error);
  return keep(kind, place, std::move(value), lasting ? Ttl{asking_.options().tag_ttl} : absent,
              epoch);
}

/// Once: it is asked again each time to live, and says the same.
void Listings::note_unlisted(const std::string& registry, const Error& error) {
  {
    const MutexLock lock(mutex_);
    if (!unlisted_.insert(registry).second) return;
  }
  log::info(error.message());
}

void Listings::tell_changes(Kind kind, const Place& place, const NameList& before,
                            const NameList& now) {
  std::vector<std::string> changed;
  std::ranges::set_symmetric_difference(before.names, now.names, std::back_inserter(changed));
  const Changed& tell = kind == Kind::tags ? tag_changed_ : repository_changed_;
  for (const std::string& name : changed) tell(place, name);
}

void Listings::refresh() {
  const MutexLock lock(mutex_);
  // The names stay: they are what is served while the registry is away, and what changes are
  // measured against.
  kept_.for_each([&](const std::string&, Kept& list) {
    list.fresh_until = Clock::SteadyTime{};
    list.merged = nullptr;
  });
}

}  // namespace berth::tree
