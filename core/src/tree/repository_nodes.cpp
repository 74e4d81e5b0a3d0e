// SPDX-License-Identifier: Apache-2.0
// Registries, namespaces, repositories, tags and pasted references.
#include <algorithm>

#include <fmt/format.h>

#include "berth/base/try.hpp"
#include "berth/oci/reference.hpp"

#include "tree/node.hpp"

namespace berth::tree {
namespace {

/// Where a registry lists no repositories, any name that could be a namespace is one, so that a
/// path can be typed; but only so deep (GitLab's group/subgroup/project), or every wrong path
/// exists.
constexpr std::ptrdiff_t kNamespaceLevels = 3;

/// A tag's link. Its target is part of what it is: when the tag moves, it is another node.
TreeNodePtr make_tag_link(const Place& place, const std::string& tag, const TagTarget& target) {
  About about{place, tag, target.digest, true, false, std::nullopt, target.media_type};
  if (!target.media_type.empty()) about.size = target.size;
  return std::make_shared<Link>(
      fmt::format("tag\n{}\n{}\n{}", place.key(), tag, target.digest.text()),
      ".manifests/" + digest_path(target.digest), target.first_seen, std::move(about));
}

class RegistriesFolder final : public TreeNode {
 public:
  RegistriesFolder()
      : TreeNode(Type::folder, "registries") {}

  Result<Found> lookup(Model& model, std::string_view name, const Context& context) const override {
    if (name == ".berth") return found(model, make_control_folder(), kForever, context);
    // Editors and git probe every parent folder: nobody is connected to for a name like these.
    const auto names = model.registries();
    if (!std::ranges::binary_search(names, name, std::less<>{})) {
      return Error(Errc::not_found,
                   fmt::format("\"{}\" is no registry that is known here: configure it, log in to "
                               "it or name it",
                               name));
    }
    return found(model, make_repository_folder({std::string(name), ""}), model.tag_ttl(), context);
  }

  Result<std::vector<Entry>> list(Model& model, const Context& /*context*/) const override {
    std::vector<Entry> entries;
    if (model.options().list_all) entries.push_back({".berth", Type::folder});
    for (std::string& name : model.registries()) entries.push_back({std::move(name), Type::folder});
    return entries;
  }

  Ttl negative_ttl(const Model& model, std::string_view /*name*/) const override {
    return Ttl{model.options().negative_ttl};
  }
  Result<Attributes> attributes(Model& model, const Context& /*context*/) const override {
    return folder_attributes(model.asking.folder_time(), model.tag_ttl());
  }
  Result<Tree::Meaning> meaning(Model& /*model*/, const Context& /*context*/) const override {
    return Tree::Meaning{};
  }
};

/// A registry, a namespace, a repository, or all that a layout holds.
class RepositoryFolder final : public TreeNode {
 public:
  explicit RepositoryFolder(Place place)
      : TreeNode(Type::folder, "folder\n" + place.key()),
        place_(std::move(place)) {}

  Result<Found> lookup(Model& model, std::string_view name, const Context& context) const override {
    if (name.starts_with('.')) return lookup_dot(model, name, context);
    if (name.find_first_of(":@") != std::string_view::npos) {
      return lookup_reference(model, name, context);
    }
    return lookup_name(model, std::string(name), context);
  }

  Result<std::vector<Entry>> list(Model& model, const Context& context) const override;

  std::string unlisted(Model& model) const override;
  const Place* repository_place() const override { return &place_; }
  Ttl negative_ttl(const Model& model, std::string_view /*name*/) const override {
    return Ttl{model.options().negative_ttl};
  }
  Result<Attributes> attributes(Model& model, const Context& /*context*/) const override {
    return folder_attributes(model.asking.folder_time(), model.tag_ttl());
  }
  Result<Tree::Meaning> meaning(Model& model, const Context& /*context*/) const override {
    Tree::Meaning meaning = meaning_of(model, place_);
    meaning.is_repository = may_hold_content(model);
    return meaning;
  }

 private:
  struct Search;  // what is known of one name so far

  Result<Found> lookup_dot(Model& model, std::string_view name, const Context& context) const;
  Result<Found> lookup_reference(Model& model, std::string_view name, const Context& context) const;
  Result<Found> lookup_name(Model& model, const std::string& name, const Context& context) const;

  Result<bool> search_catalogue(Model& model, Search& search, const Context& context) const;
  Result<std::optional<TagTarget>> search_tag(Model& model, Search& search,
                                              const Context& context) const;
  Result<bool> search_repository(Model& model, Search& search, const Context& context) const;

  Result<std::vector<std::string>> list_tags(Model& model, const Catalogue& catalogue,
                                             const std::vector<std::string>& folders,
                                             const Context& context) const;
  bool is_tagged(Model& model) const {
    return model.asking.is_layout() || !place_.repository.empty();
  }
  /// A repository, as far as can be told without asking.
  bool may_hold_content(Model& model) const {
    if (!is_tagged(model)) return false;
    if (model.asking.is_layout() || model.is_root(place_)) return true;
    const auto catalogue = model.listings.fresh_repositories(place_.registry);
    return !catalogue || !catalogue->complete || catalogue->names->contains(place_.repository) ||
           model.listings.has_answered(place_);
  }

  const Place place_;
};

Result<Found> RepositoryFolder::lookup_dot(Model& model, std::string_view name,
                                           const Context& context) const {
  if (name == ".berth" && model.is_root(place_)) {
    return found(model, make_control_folder(), kForever, context);
  }
  if (name == ".manifests" && may_hold_content(model)) {
    return found(model, make_manifests_folder(place_), kForever, context);
  }
  if (name == ".blobs" && may_hold_content(model)) {
    return found(model, make_blobs_folder(place_), kForever, context);
  }
  if (name == ".tags" && may_hold_content(model)) {
    return found(model, make_tags_folder(place_), kForever, context);
  }
  if (name == ".properties" && may_hold_content(model) && model.properties.offered(place_)) {
    return found(model, make_properties_folder({place_}), model.tag_ttl(), context);
  }
  return no_such_name(place_.text(), name);
}

/// `repository:tag`, `repository@digest`, `repository:tag@digest` (of which the digest counts, as
/// it does for docker).
Result<Found> RepositoryFolder::lookup_reference(Model& model, std::string_view name,
                                                 const Context& context) const {
  const Error absent = no_such_name(place_.text(), name);
  if (model.asking.is_layout()) return absent;
  const std::size_t at = name.find('@');
  const std::string_view named = name.substr(0, at);
  const std::size_t colon = named.find(':');
  const std::string repository(named.substr(0, colon));
  const Place place = place_.below(repository);
  if (!oci::is_repository_component(repository) || !oci::is_repository(place.repository)) {
    return absent;
  }
  std::string tag;
  if (colon != std::string_view::npos) {
    tag = named.substr(colon + 1);
    if (!oci::is_tag(tag)) return absent;
  }
  const auto link = [&](const Digest& digest, const Held& held) {
    return std::make_shared<Link>(
        fmt::format("reference\n{}\n{}\n{}", place_.key(), name, digest.text()),
        repository + "/.manifests/" + digest_path(digest), held.first_seen,
        About{place, tag, digest, true, false,
              held.media_type.empty() ? std::nullopt : std::optional(held.size), held.media_type});
  };
  if (at != std::string_view::npos) {
    const auto digest = Digest::parse(name.substr(at + 1));
    if (!digest) return absent;
    const Held held = TRY(model.find_manifest(place, *digest, context));
    model.listings.note_answer(place);
    return found(model, link(*digest, held), model.tag_ttl(), context);
  }
  const TagTarget target = TRY(model.tags().resolve(place, tag, context));
  model.listings.note_answer(place);
  return found(model, link(target.digest, {target.size, target.media_type, target.first_seen}),
               target.ttl, context);
}

/// What is known of one name, while it is looked for.
struct RepositoryFolder::Search {
  std::string name;
  Place below;
  bool can_be_tag = false;
  bool can_be_folder = false;
  bool listed = false;  ///< the registry lists its repositories, and this is none
  Ttl folder_ttl{0};
  std::optional<Error> failure;  ///< what kept a question from being answered

  /// An error that ends the search, or only leaves one question open?
  Result<void> note(const Error& error) {
    if (error.code() == Errc::would_block || error.code() == Errc::cancelled) return error;
    if (error.code() != Errc::not_found && !failure) failure = error;
    return {};
  }
};

Result<Found> RepositoryFolder::lookup_name(Model& model, const std::string& name,
                                            const Context& context) const {
  Search search;
  search.name = name;
  search.below = place_.below(name);
  search.can_be_tag = is_tagged(model) && oci::is_tag(name);
  search.can_be_folder = !model.asking.is_layout() && oci::is_repository(search.below.repository);
  search.folder_ttl = model.tag_ttl();
  const bool in_catalogue = TRY(search_catalogue(model, search, context));
  if (in_catalogue) {
    return found(model, make_repository_folder(search.below), search.folder_ttl, context);
  }
  const auto target = TRY(search_tag(model, search, context));
  if (target) return found(model, make_tag_link(place_, name, *target), target->ttl, context);
  const bool is_folder = TRY(search_repository(model, search, context));
  if (is_folder) {
    return found(model, make_repository_folder(search.below), search.folder_ttl, context);
  }
  if (search.failure) return *search.failure;
  return no_such_name(place_.text(), name);
}

/// Is it a folder by the catalogue, or by what was seen before? Asked first, because a folder takes
/// the name from a tag, and because nothing else knows namespaces.
Result<bool> RepositoryFolder::search_catalogue(Model& model, Search& search,
                                                const Context& context) const {
  if (!search.can_be_folder) return false;
  const auto catalogue = model.listings.repositories(place_.registry, context);
  if (!catalogue) {
    TRY(search.note(Error(catalogue.error()).with_context("looking for it")));
    return false;
  }
  search.listed = catalogue->complete;
  search.folder_ttl = catalogue->ttl;
  return catalogue->names->contains(search.below.repository) ||
         catalogue->names->has_below(search.below.repository) ||
         model.listings.has_answered(search.below);
}

Result<std::optional<TagTarget>> RepositoryFolder::search_tag(Model& model, Search& search,
                                                              const Context& context) const {
  if (!search.can_be_tag) return std::nullopt;
  const auto listing = model.listings.fresh_tags(place_);
  if (listing && !*listing) {
    // Not a repository, or not one that shows its tags: nothing more will be told about one of
    // them.
    TRY(search.note(listing->error()));
    return std::nullopt;
  }
  if (listing && !(*listing)->stale && !(*listing)->names->contains(search.name)) {
    return std::nullopt;
  }
  if (!listing && search.can_be_folder && !may_hold_content(model)) return std::nullopt;
  auto target = model.tags().resolve(place_, search.name, context);
  if (target) return std::optional<TagTarget>(*std::move(target));
  TRY(search.note(target.error()));
  return std::nullopt;
}

/// Is it a repository that no catalogue names, or might it be a namespace?
Result<bool> RepositoryFolder::search_repository(Model& model, Search& search,
                                                 const Context& context) const {
  if (!search.can_be_folder || search.listed) return false;
  // Away, or a defect on the way to it: what else it would be asked would only fail the same way.
  if (search.failure && !is_refusal(*search.failure)) return false;
  // At the top no tag and no question tells a namespace from nothing.
  if (place_.repository.empty()) return true;
  auto there = model.listings.exists(search.below, context);
  if (!there) {
    TRY(search.note(there.error()));
    there = false;
  }
  if (*there) return true;
  const auto level = 1 + std::ranges::count(search.below.repository, '/');
  if (level > kNamespaceLevels) return false;
  const auto parent = model.listings.exists(place_, context);
  if (!parent) {
    TRY(search.note(parent.error()));
    return is_refusal(parent.error());
  }
  return !*parent;
}

Result<std::vector<Entry>> RepositoryFolder::list(Model& model, const Context& context) const {
  std::vector<std::string> folders;
  Catalogue catalogue;
  if (!model.asking.is_layout()) {
    catalogue = TRY(model.listings.repositories(place_.registry, context));
    folders = catalogue.names->children(place_.repository);
  }
  std::vector<Entry> entries;
  if (is_tagged(model)) {
    auto tags = TRY(list_tags(model, catalogue, folders, context));
    for (std::string& tag : tags) {
      entries.push_back({std::move(tag), Type::link});
    }
  } else if (catalogue.refusal) {
    return *catalogue.refusal;
  }
  for (std::string& name : folders) entries.push_back({std::move(name), Type::folder});
  if (model.options().list_all) {
    if (model.is_root(place_)) entries.push_back({".berth", Type::folder});
    if (may_hold_content(model)) {
      entries.push_back({".manifests", Type::folder});
      entries.push_back({".blobs", Type::folder});
      entries.push_back({".tags", Type::folder});
      if (model.properties.offered(place_)) entries.push_back({".properties", Type::folder});
    }
  }
  std::ranges::sort(entries, {}, &Entry::name);
  return entries;
}

/// Where there are tags they are what was asked for, and all of them are shown.
std::string RepositoryFolder::unlisted(Model& model) const {
  if (model.asking.is_layout()) return {};
  const auto catalogue = model.listings.fresh_repositories(place_.registry);
  if (!catalogue) return {};
  const auto tags = is_tagged(model) ? model.listings.fresh_tags(place_) : std::nullopt;
  return tags && *tags ? std::string() : catalogue->unlisted;
}

/// The tags that this folder shows: none where it is a namespace alone.
Result<std::vector<std::string>> RepositoryFolder::list_tags(
    Model& model, const Catalogue& catalogue, const std::vector<std::string>& folders,
    const Context& context) const {
  const bool seen = catalogue.names && catalogue.names->contains(place_.repository);
  const bool can_be_namespace = !seen && !folders.empty();
  // Nor while the registry is away: what it listed before told namespaces from repositories.
  if (can_be_namespace && (catalogue.complete || catalogue.stale)) {
    return std::vector<std::string>{};
  }
  auto listing = model.listings.tags(place_, context);
  if (!listing) {
    const Error& error = listing.error();
    const bool absent = error.code() == Errc::not_found;
    const bool hidden = absent || is_refusal(error);
    // A namespace: registries say so by 404, and those that hide what there is by a refusal. One
    // that is away says nothing, and what was seen below is all that is known.
    const bool is_namespace = can_be_namespace && (hidden || Away::is_away(error));
    // Catalogues go on naming repositories whose last manifest was deleted. Where nothing lists
    // repositories, what has no tags and nothing known below may be a namespace or a slip of the
    // pen: an empty folder would hide the latter.
    if (is_namespace || (absent && seen)) {
      return std::vector<std::string>{};
    }
    return error;
  }
  model.tags().listed(place_, listing->names);
  std::vector<std::string> tags;
  tags.reserve(listing->names->names.size());
  std::ranges::copy_if(listing->names->names, std::back_inserter(tags),
                       [&](const auto& tag) { return !std::ranges::binary_search(folders, tag); });
  return tags;
}

}  // namespace

TreeNodePtr make_registries_folder() { return std::make_shared<RegistriesFolder>(); }

TreeNodePtr make_repository_folder(Place place) {
  return std::make_shared<RepositoryFolder>(std::move(place));
}

}  // namespace berth::tree
