// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "berth/base/try.hpp"
#include "berth/oci/reference.hpp"

#include "tree/node.hpp"

namespace berth::tree {
namespace {

/// Where the manifest stands that a tree of one manifest shows.
Place manifest_place(const Root& root) {
  return root.layout ? Place{root.layout->name(), ""} : Place{root.registry, root.repository};
}

TreeNodePtr make_root(const Options& options) {
  const Root& root = options.root;
  switch (root.kind) {
    case Root::Kind::registry:
      return make_repository_folder({root.registry, ""});
    case Root::Kind::repository:
      return make_repository_folder({root.registry, root.repository});
    case Root::Kind::manifest:
      return make_root_manifest(manifest_place(root));
    case Root::Kind::layout:
      return make_repository_folder({root.layout->name(), ""});
    case Root::Kind::all:
      break;
  }
  return make_registries_folder();
}

}  // namespace

Model::Model(std::unique_ptr<Sources> sources, Options given)
    : asking(std::move(sources), std::move(given)),
      properties(asking, [this](const Subject& subject) { properties_changed(subject); }),
      holdings(asking),
      manifests(asking, holdings),
      listings(
          asking, properties,
          [this](const Place& place, const std::string& tag) { tag_changed(place, tag); },
          [this](const Place& place, const std::string& name) { repository_changed(place, name); },
          [this](const Place& place, const std::vector<acr::ArtifactTagProperties>& tags,
                 std::uint64_t epoch) { tags_.told(place, tags, epoch); }),
      root_(make_root(asking.options())),
      tags_(
          asking, properties,
          [this](const Place& place, const std::string& tag) { tag_changed(place, tag); },
          [this](const Place& place, const TagTarget& target) {
            const auto time = target.time_is_told ? Held::Time::of_tag : Held::Time::seen;
            holdings.note_manifest(place, target.digest,
                                   {target.size, target.media_type, target.first_seen, time});
          }) {}

bool Model::is_root(const Place& place) const {
  const Root& root = options().root;
  switch (root.kind) {
    case Root::Kind::registry:
      return place.repository.empty();
    case Root::Kind::repository:
      return place.repository == root.repository;
    case Root::Kind::layout:
      return true;
    default:
      return false;
  }
}

TreeNodePtr Model::folder(const Place& place) const {
  return is_root(place) ? root_ : make_repository_folder(place);
}

std::vector<std::string> Model::registries() {
  std::vector<std::string> names = asking.sources().known_registries();
  const auto& named = options().root.named;
  names.insert(names.end(), named.begin(), named.end());
  std::erase_if(names, [](const std::string& name) { return !oci::is_registry(name); });
  std::ranges::sort(names);
  const auto rest = std::ranges::unique(names);
  names.erase(rest.begin(), rest.end());
  return names;
}

Result<Digest> Model::root_manifest(const Context& context) {
  {
    const MutexLock lock(mutex_);
    if (root_manifest_) return *root_manifest_;
  }
  const Root& root = options().root;
  auto digest = Digest::parse(root.reference);
  if (!digest) {
    digest = TRY(tags_.resolve(manifest_place(root), root.reference, context)).digest;
  }
  const MutexLock lock(mutex_);
  if (!root_manifest_) root_manifest_ = *std::move(digest);
  return *root_manifest_;
}

Result<Held> Model::find_manifest(const Place& place, const Digest& digest,
                                  const Context& context) {
  const auto known = holdings.manifest(place, digest);
  if (properties.offered(place) && (!known || known->time == Held::Time::seen)) {
    const auto told = properties.get({place, "", digest}, context);
    if (told) {
      Held held{0, "", (*told)->updated(), Held::Time::own};
      if (known) {
        held.size = known->size;
        held.media_type = known->media_type;
      }
      holdings.note_manifest(place, digest, held);
      return held;
    }
    const bool goes_on = properties.note_refusal(place, told.error()) ||
                         (known && Away::is_away(told.error()) && context.check());
    if (!goes_on) return told.error();
  }
  return holdings.find_manifest(place, digest, context);
}

void Model::tag_changed(const Place& place, const std::string& tag) const {
  // A mount of one manifest shows no tags.
  if (!options().on_changed || options().root.kind == Root::Kind::manifest) return;
  options().on_changed(folder(place), tag);
  if (is_root(place) || place.repository.empty()) return;
  // The same tag as a pasted reference, one folder up.
  const std::size_t slash = place.repository.rfind('/');
  const bool top = slash == std::string::npos;
  const Place parent{place.registry, top ? "" : place.repository.substr(0, slash)};
  options().on_changed(folder(parent), place.repository.substr(top ? 0 : slash + 1) + ':' + tag);
}

void Model::repository_changed(const Place& place, const std::string& name) const {
  const Root& root = options().root;
  if (!options().on_changed || root.kind == Root::Kind::manifest) return;
  const bool rooted_below =
      root.kind == Root::Kind::repository && !name.starts_with(root.repository + '/');
  if (rooted_below) return;
  const std::size_t slash = name.rfind('/');
  const bool top = slash == std::string::npos;
  options().on_changed(folder({place.registry, top ? "" : name.substr(0, slash)}),
                       name.substr(top ? 0 : slash + 1));
}

void Model::properties_changed(const Subject& subject) {
  const auto set = properties.known(subject);
  if (!options().on_changed || set == nullptr) return;
  const TreeNodePtr folder = make_properties_folder(subject);
  for (const auto& [name, text] : set->fields()) options().on_changed(folder, name);
}

void Model::refresh() {
  asking.refresh();
  properties.refresh();
  listings.refresh();
  tags_.refresh();
  holdings.refresh();
  manifests.refresh();
}

}  // namespace berth::tree
