// SPDX-License-Identifier: Apache-2.0
// The folder of a manifest and what stands in it.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "berth/base/try.hpp"

#include "tree/node.hpp"

namespace berth::tree {
namespace {

/// One manifest at one place of the tree, and how its links reach the content beside it.
struct Spot {
  Place place;
  Digest digest;
  Held held;
  std::string to_manifests;  ///< from the manifest's folder to .manifests, with the closing '/'
  std::string to_blobs;
  std::string identity;  ///< of the manifest's folder

  Result<ManifestViewPtr> view(Model& model, const Context& context) const {
    return model.manifests.get(place, digest, context);
  }
  /// Of the files: what the image or artifact states, else what the folder has.
  std::int64_t file_mtime(Model& model, const ManifestView& view) const {
    return model.manifests.created(place, view).value_or(held.first_seen);
  }
  std::string manifest_path(const Digest& other) const { return to_manifests + digest_path(other); }
  About about(const Digest& other, bool is_manifest) const {
    return About{place, "", other, is_manifest, !is_manifest, std::nullopt, ""};
  }
  /// Something that stands in a manifest's folder: not the manifest, whose digest it tells.
  About part(const Digest& of) const {
    return About{place, "", of, false, false, std::nullopt, ""};
  }
  About about(const oci::Descriptor& blob) const {
    return About{place, "", blob.digest, false, true, blob.size, blob.media_type};
  }
};
using SpotPtr = std::shared_ptr<const Spot>;

/// What all folders of a manifest have in common: nothing in them ever changes.
class ViewFolder : public TreeNode {
 public:
  ViewFolder(SpotPtr spot, std::string identity)
      : TreeNode(Type::folder, std::move(identity)),
        spot_(std::move(spot)) {}
  Result<Attributes> attributes(Model& model, const Context& context) const override {
    const auto view = TRY(spot_->view(model, context));
    return folder_attributes(spot_->file_mtime(model, *view), kForever);
  }
  Result<Tree::Meaning> meaning(Model& model, const Context& /*context*/) const override {
    return meaning_of(model, spot_->part(spot_->digest));
  }

 protected:
  const Spot& spot() const noexcept { return *spot_; }
  const SpotPtr& shared_spot() const noexcept { return spot_; }
  /// A link somewhere in this folder.
  TreeNodePtr link(std::string_view name, std::string target, std::int64_t mtime,
                   About about) const {
    return std::make_shared<Link>(fmt::format("{}\n{}", identity(), name), std::move(target), mtime,
                                  std::move(about));
  }

 private:
  const SpotPtr spot_;
};

class ManifestFile final : public TreeNode {
 public:
  ManifestFile(SpotPtr spot, const ManifestViewPtr& view)
      : TreeNode(Type::file, spot->identity + "\nmanifest.json"),
        spot_(std::move(spot)),
        size_(view->raw().size()),
        media_type_(view->media_type) {}

  Result<std::shared_ptr<File>> open(Model& model, const Context& context) const override {
    const ManifestViewPtr view = TRY(spot_->view(model, context));
    return open_text(std::shared_ptr<const std::string>(view, &view->raw()), true);
  }
  Result<Attributes> attributes(Model& model, const Context& context) const override {
    const ManifestViewPtr view = TRY(spot_->view(model, context));
    Attributes attributes;
    attributes.type = Type::file;
    attributes.size = size_;
    attributes.mtime = spot_->file_mtime(model, *view);
    attributes.ttl = kForever;
    return attributes;
  }
  Result<Tree::Meaning> meaning(Model& model, const Context& /*context*/) const override {
    About part = spot_->part(spot_->digest);
    part.size = size_;
    part.media_type = media_type_;
    return meaning_of(model, part);
  }

 private:
  const SpotPtr spot_;
  const std::uint64_t size_;
  const std::string media_type_;
};

class LayersFolder final : public ViewFolder {
 public:
  explicit LayersFolder(const SpotPtr& spot)
      : ViewFolder(spot, spot->identity + "\nlayers") {}

  Result<Found> lookup(Model& model, std::string_view name, const Context& context) const override {
    const auto view = TRY(spot().view(model, context));
    const auto at = std::ranges::find(view->layer_names, name);
    if (at == view->layer_names.end()) return no_such_name("layers", name);
    const auto& layer =
        view->manifest()->layers[static_cast<std::size_t>(at - view->layer_names.begin())];
    return found(model,
                 link(name, "../" + spot().to_blobs + digest_path(layer.digest),
                      spot().file_mtime(model, *view), spot().about(layer)),
                 kForever, context);
  }
  Result<std::vector<Entry>> list(Model& model, const Context& context) const override {
    const ManifestViewPtr view = TRY(spot().view(model, context));
    std::vector<Entry> entries;
    for (const std::string& name : view->layer_names) {
      entries.push_back({name, Type::link});
    }
    return entries;
  }
};

/// files/, or a folder that a title with '/' makes below it (`path`, "" for files/ itself).
class FilesFolder final : public ViewFolder {
 public:
  FilesFolder(const SpotPtr& spot, std::string path)
      : ViewFolder(spot, spot->identity + "\nfiles\n" + path),
        path_(std::move(path)) {}

  Result<Found> lookup(Model& model, std::string_view name, const Context& context) const override {
    const auto view = TRY(spot().view(model, context));
    const std::string path = path_.empty() ? std::string(name) : path_ + '/' + std::string(name);
    const FileTree::Entry* entry = find_file(view->files, path);
    if (entry == nullptr || name.find('/') != std::string_view::npos) {
      return no_such_name("files", path);
    }
    if (entry->folder) {
      return found(model, std::make_shared<FilesFolder>(shared_spot(), path), kForever, context);
    }
    return found(model,
                 std::make_shared<BlobFile>(spot().identity + "\nfile\n" + path,
                                            spot().file_mtime(model, *view),
                                            spot().about(view->manifest()->layers[entry->layer])),
                 kForever, context);
  }
  Result<std::vector<Entry>> list(Model& model, const Context& context) const override {
    const auto view = TRY(spot().view(model, context));
    const FileTree* tree = &view->files;
    if (!path_.empty()) {
      const FileTree::Entry* entry = find_file(view->files, path_);
      if (entry == nullptr || !entry->folder) return no_such_name("files", path_);
      tree = entry->folder.get();
    }
    std::vector<Entry> entries;
    entries.reserve(tree->entries.size());
    for (const auto& [name, entry] : tree->entries) {
      entries.push_back({name, entry.folder ? Type::folder : Type::file});
    }
    return entries;
  }

 private:
  const std::string path_;
};

class PlatformsFolder final : public ViewFolder {
 public:
  explicit PlatformsFolder(const SpotPtr& spot)
      : ViewFolder(spot, spot->identity + "\nplatforms") {}

  Result<Found> lookup(Model& model, std::string_view name, const Context& context) const override {
    const auto view = TRY(spot().view(model, context));
    const auto at = std::ranges::find(view->platform_names, name);
    if (at == view->platform_names.end()) return no_such_name("platforms", name);
    const auto& manifest =
        view->index()->manifests[static_cast<std::size_t>(at - view->platform_names.begin())];
    About about = spot().about(manifest.digest, true);
    about.size = manifest.size;
    about.media_type = manifest.media_type;
    return found(model,
                 link(name, "../" + spot().manifest_path(manifest.digest),
                      spot().file_mtime(model, *view), std::move(about)),
                 kForever, context);
  }
  Result<std::vector<Entry>> list(Model& model, const Context& context) const override {
    const ManifestViewPtr view = TRY(spot().view(model, context));
    std::vector<Entry> entries;
    for (const std::string& name : view->platform_names) {
      entries.push_back({name, Type::link});
    }
    std::ranges::sort(entries, {}, &Entry::name);
    return entries;
  }
};

/// The one folder of a manifest whose names come and go.
class ReferrersFolder final : public ViewFolder {
 public:
  explicit ReferrersFolder(const SpotPtr& spot)
      : ViewFolder(spot, spot->identity + "\nreferrers") {}

  Result<Found> lookup(Model& model, std::string_view name, const Context& context) const override {
    const bool hexadecimal = std::ranges::all_of(
        name, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
    if (!hexadecimal) return no_such_name("referrers", name);
    const auto referrers = TRY(model.manifests.referrers(spot().place, spot().digest, context));
    for (const oci::Descriptor& referrer : referrers) {
      if (referrer.digest.hex() != name) continue;
      About about = spot().about(referrer.digest, true);
      about.size = referrer.size;
      about.media_type = referrer.media_type;
      return found(model,
                   link(name, "../" + spot().manifest_path(referrer.digest), spot().held.first_seen,
                        std::move(about)),
                   model.tag_ttl(), context);
    }
    return no_such_name("referrers", name);
  }
  Result<std::vector<Entry>> list(Model& model, const Context& context) const override {
    const auto referrers = TRY(model.manifests.referrers(spot().place, spot().digest, context));
    std::vector<Entry> entries;
    entries.reserve(referrers.size());
    for (const oci::Descriptor& referrer : referrers) {
      entries.push_back({std::string(referrer.digest.hex()), Type::link});
    }
    std::ranges::sort(entries, {}, &Entry::name);
    const auto rest = std::ranges::unique(entries, {}, &Entry::name);
    entries.erase(rest.begin(), rest.end());
    return entries;
  }
  Ttl negative_ttl(const Model& model, std::string_view /*name*/) const override {
    return Ttl{model.options().negative_ttl};
  }
  Result<Attributes> attributes(Model& /*model*/, const Context& /*context*/) const override {
    return folder_attributes(spot().held.first_seen, kForever);
  }
};

/// What the folder of some manifest holds.
constexpr std::array<std::string_view, 7> kManifestNames{
    "config.json", "files", "layers", "manifest.json", "platforms", "properties", "referrers"};

class ManifestFolder final : public ViewFolder {
 public:
  explicit ManifestFolder(const SpotPtr& spot)
      : ViewFolder(spot, spot->identity) {}

  Result<Found> lookup(Model& model, std::string_view name, const Context& context) const override;
  Result<std::vector<Entry>> list(Model& model, const Context& context) const override;
  /// A platform's manifest may be pushed later, and the registry may be known better: what could
  /// stand here is asked for again.
  Ttl negative_ttl(const Model& model, std::string_view name) const override {
    if (!std::ranges::binary_search(kManifestNames, name)) return kForever;
    return Ttl{model.options().negative_ttl};
  }

  /// From what the HEAD or the list said: `ls -l` of a folder of tags reads no manifest.
  Result<Attributes> attributes(Model& model, const Context& /*context*/) const override {
    const auto told = model.properties.known({spot().place, "", spot().digest});
    return folder_attributes(told ? told->updated() : spot().held.first_seen,
                             told ? model.tag_ttl() : kForever);
  }
  Result<Tree::Meaning> meaning(Model& model, const Context& /*context*/) const override {
    About about = spot().about(spot().digest, true);
    about.media_type = spot().held.media_type;
    if (!about.media_type.empty()) about.size = spot().held.size;
    return meaning_of(model, about);
  }

 private:
  /// What of a platform's manifest an index's folder leads to.
  struct Platform {
    std::optional<Digest> digest;
    bool has_files = false;
    std::optional<Error> error = std::nullopt;  ///< why it cannot be told whether it has files
  };
  Result<Platform> platform(Model& model, const ManifestView& view, const Context& context) const;
  Result<Found> lookup_in_index(Model& model, const ManifestView& view, std::string_view name,
                                const Context& context) const;
};

/// Registries may hold an index without the manifest of each platform: what is not there is not
/// shown. While that cannot be told the links stay: two are right, whatever the answer will be, and
/// who looks at `files` is told why it cannot be said.
Result<ManifestFolder::Platform> ManifestFolder::platform(Model& model, const ManifestView& view,
                                                          const Context& context) const {
  if (!view.platform) return Platform{};
  const auto child = model.manifests.get(spot().place, *view.platform, context);
  if (!child) {
    const Errc code = child.error().code();
    if (code == Errc::would_block || code == Errc::cancelled) return child.error();
    if (code == Errc::not_found) return Platform{};
    return Platform{view.platform, false, child.error()};
  }
  if (!(*child)->manifest() && !(*child)->platform) return Platform{};
  return Platform{view.platform, !(*child)->files.entries.empty()};
}

Result<Found> ManifestFolder::lookup_in_index(Model& model, const ManifestView& view,
                                              std::string_view name, const Context& context) const {
  if (name == "platforms") {
    return found(model, std::make_shared<PlatformsFolder>(shared_spot()), kForever, context);
  }
  if (name == "config.json" || name == "layers" || name == "files") {
    const Platform leads = TRY(platform(model, view, context));
    if (name == "files" && leads.error) return *leads.error;
    if (leads.digest && (name != "files" || leads.has_files)) {
      return found(model,
                   link(name, fmt::format("{}/{}", spot().manifest_path(*leads.digest), name),
                        spot().file_mtime(model, view), spot().part(*leads.digest)),
                   kForever, context);
    }
  }
  return no_such_name(spot().digest.text(), name);
}

Result<Found> ManifestFolder::lookup(Model& model, std::string_view name,
                                     const Context& context) const {
  if (!std::ranges::binary_search(kManifestNames, name))
    return no_such_name(spot().digest.text(), name);
  if (name == "properties" && model.properties.offered(spot().place)) {
    return found(model, make_properties_folder({spot().place, "", spot().digest}), model.tag_ttl(),
                 context);
  }
  const ManifestViewPtr view = TRY(spot().view(model, context));
  if (name == "manifest.json") {
    return found(model, std::make_shared<ManifestFile>(shared_spot(), view), kForever, context);
  }
  if (name == "referrers" && view->document &&
      model.asking.capabilities(spot().place.registry).referrers) {
    return found(model, std::make_shared<ReferrersFolder>(shared_spot()), kForever, context);
  }
  if (view->index() != nullptr) return lookup_in_index(model, *view, name, context);
  if (const oci::Manifest* manifest = view->manifest()) {
    if (name == "config.json") {
      return found(model,
                   std::make_shared<BlobFile>(spot().identity + "\nconfig.json",
                                              spot().file_mtime(model, *view),
                                              spot().about(manifest->config)),
                   kForever, context);
    }
    if (name == "layers") {
      return found(model, std::make_shared<LayersFolder>(shared_spot()), kForever, context);
    }
    if (name == "files" && !view->files.entries.empty()) {
      return found(model, std::make_shared<FilesFolder>(shared_spot(), ""), kForever, context);
    }
  }
  Error absent = no_such_name(spot().digest.text(), name);
  if (view->document) return absent;
  return Error(absent.code(), fmt::format("{}: its manifest is shown as manifest.json only: {}",
                                          absent.message(), view->refusal));
}

Result<std::vector<Entry>> ManifestFolder::list(Model& model, const Context& context) const {
  const ManifestViewPtr view = TRY(spot().view(model, context));
  std::vector<Entry> entries{{"manifest.json", Type::file}};
  if (view->index() != nullptr) {
    entries.push_back({"platforms", Type::folder});
    const Platform leads = TRY(platform(model, *view, context));
    if (leads.digest) {
      entries.push_back({"config.json", Type::link});
      entries.push_back({"layers", Type::link});
      if (leads.has_files || leads.error) entries.push_back({"files", Type::link});
    }
  } else if (view->manifest() != nullptr) {
    entries.push_back({"config.json", Type::file});
    entries.push_back({"layers", Type::folder});
    if (!view->files.entries.empty()) entries.push_back({"files", Type::folder});
  }
  if (view->document && model.asking.capabilities(spot().place.registry).referrers) {
    entries.push_back({"referrers", Type::folder});
  }
  if (model.properties.offered(spot().place)) entries.push_back({"properties", Type::folder});
  std::ranges::sort(entries, {}, &Entry::name);
  return entries;
}

/// The root of a tree that shows one manifest.
class RootManifest final : public TreeNode {
 public:
  explicit RootManifest(Place place)
      : TreeNode(Type::folder, "root\n" + place.key()),
        place_(std::move(place)) {}

  Result<Found> lookup(Model& model, std::string_view name, const Context& context) const override {
    if (name == ".berth") return found(model, make_control_folder(), kForever, context);
    if (name == ".manifests") {
      return found(model, make_manifests_folder(place_), kForever, context);
    }
    if (name == ".blobs") return found(model, make_blobs_folder(place_), kForever, context);
    const TreeNodePtr shown = TRY(folder(model, context));
    return shown->lookup(model, name, context);
  }
  Result<std::vector<Entry>> list(Model& model, const Context& context) const override {
    const TreeNodePtr shown = TRY(folder(model, context));
    auto entries = TRY(shown->list(model, context));
    if (model.options().list_all) {
      for (const char* name : {".berth", ".blobs", ".manifests"}) {
        entries.push_back({name, Type::folder});
      }
      std::ranges::sort(entries, {}, &Entry::name);
    }
    return entries;
  }
  Ttl negative_ttl(const Model& model, std::string_view /*name*/) const override {
    return Ttl{model.options().negative_ttl};
  }
  /// Never asks: a mount must not fail because the registry is away.
  Result<Attributes> attributes(Model& model, const Context& /*context*/) const override {
    return folder_attributes(model.asking.folder_time(), model.tag_ttl());
  }
  Result<Tree::Meaning> meaning(Model& model, const Context& context) const override {
    const TreeNodePtr shown = TRY(folder(model, context));
    return shown->meaning(model, context);
  }

 private:
  Result<TreeNodePtr> folder(Model& model, const Context& context) const {
    const Digest digest = TRY(model.root_manifest(context));
    Held held = TRY(model.find_manifest(place_, digest, context));
    return make_manifest_at_root(place_, digest, std::move(held));
  }

  const Place place_;
};

}  // namespace

TreeNodePtr make_manifest_folder(Place place, Digest digest, Held held) {
  std::string identity = fmt::format("manifest\n{}\n{}", place.key(), digest.text());
  return std::make_shared<ManifestFolder>(
      std::make_shared<const Spot>(Spot{std::move(place), std::move(digest), std::move(held),
                                        "../../", "../../../.blobs/", std::move(identity)}));
}

TreeNodePtr make_manifest_at_root(Place place, Digest digest, Held held) {
  std::string identity = fmt::format("root manifest\n{}\n{}", place.key(), digest.text());
  return std::make_shared<ManifestFolder>(
      std::make_shared<const Spot>(Spot{std::move(place), std::move(digest), std::move(held),
                                        ".manifests/", ".blobs/", std::move(identity)}));
}

TreeNodePtr make_root_manifest(Place place) {
  return std::make_shared<RootManifest>(std::move(place));
}

}  // namespace berth::tree
