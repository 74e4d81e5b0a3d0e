// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tree/manifests.hpp"
#include "tree/tags.hpp"

namespace berth::tree {

class TreeNode;
using TreeNodePtr = std::shared_ptr<const TreeNode>;

/// What all nodes of one tree share. Thread safe.
class Model {
 public:
  Model(std::unique_ptr<Sources> sources, Options options);

  Asking asking;
  Properties properties;
  Holdings holdings;
  Manifests manifests;
  Listings listings;

  const Options& options() const noexcept { return asking.options(); }
  Ttl tag_ttl() const noexcept { return Ttl{options().tag_ttl}; }
  const TreeNodePtr& root() const noexcept { return root_; }
  /// Does the mount's root show this place? There .berth stands.
  bool is_root(const Place& place) const;
  /// The folder of a registry, namespace or repository.
  TreeNodePtr folder(const Place& place) const;
  /// The hosts that a tree of every registry shows, sorted.
  std::vector<std::string> registries();
  /// The manifest that the root shows, found at first use and kept: a mount of one manifest does
  /// not change under its readers.
  Result<Digest> root_manifest(const Context& context);
  /// not_found when the repository does not hold it. Where the registry has properties they are
  /// asked for, in place of a HEAD that knows no time, unless they or a tag's were told already.
  Result<Held> find_manifest(const Place& place, const Digest& digest, const Context& context);
  void refresh();

  struct Counters {
    std::atomic<std::uint64_t> lookups = 0, absent = 0, lists = 0, opens = 0;
  } counters;

  Tags& tags() noexcept { return tags_; }

 private:
  void tag_changed(const Place& place, const std::string& tag) const;
  void repository_changed(const Place& place, const std::string& name) const;
  void properties_changed(const Subject& subject);

  TreeNodePtr root_;
  Mutex mutex_;
  std::optional<Digest> root_manifest_ BERTH_GUARDED_BY(mutex_);
  Tags tags_;  ///< last: its threads use all the others
};

/// A node that knows what to do. Each family is a file: repository_nodes, digest_nodes,
/// manifest_nodes, control_nodes.
class TreeNode : public Node {
 public:
  TreeNode(Type type, std::string identity)
      : type_(type),
        identity_(std::move(identity)) {}

  Type type() const noexcept final { return type_; }
  const std::string& identity() const noexcept final { return identity_; }

  // Folders.
  virtual Result<Found> lookup(Model& model, std::string_view name, const Context& context) const;
  virtual Result<std::vector<Entry>> list(Model& model, const Context& context) const;
  virtual Ttl negative_ttl(const Model& model, std::string_view name) const;
  // Links and files.
  virtual Result<std::string> read_link() const;
  virtual Result<std::shared_ptr<File>> open(Model& model, const Context& context) const;
  /// Tree::write: a file that takes no text refuses with `denied`.
  virtual Result<void> write(Model& model, std::string_view text, const Context& context) const;

  /// Of the folder of a registry, namespace or repository; else nullptr.
  virtual const Place* repository_place() const { return nullptr; }
  /// As Tree::unlisted.
  virtual std::string unlisted(Model& /*model*/) const { return {}; }

  virtual Result<Attributes> attributes(Model& model, const Context& context) const = 0;
  virtual Result<Tree::Meaning> meaning(Model& model, const Context& context) const = 0;

 private:
  const Type type_;
  const std::string identity_;
};

/// A node with its attributes, as the answer of a lookup.
Result<Found> found(Model& model, TreeNodePtr node, Ttl ttl, const Context& context);
Error no_such_name(const std::string& folder, std::string_view name);
Attributes folder_attributes(std::int64_t mtime, Ttl ttl);

/// What links and files say of themselves in the registry's terms.
struct About {
  Place place;
  std::string tag;
  std::optional<Digest> digest;
  bool is_manifest = false;
  bool is_blob = false;
  std::optional<std::uint64_t> size;
  std::string media_type;
  bool is_properties = false;
};
Tree::Meaning meaning_of(Model& model, const About& about);
/// Of a folder that stands for a place and no more.
Tree::Meaning meaning_of(Model& model, const Place& place);

/// Any symbolic link.
class Link final : public TreeNode {
 public:
  Link(std::string identity, std::string target, std::int64_t mtime, About about);
  Result<std::string> read_link() const override { return target_; }
  Result<Attributes> attributes(Model& model, const Context& context) const override;
  Result<Tree::Meaning> meaning(Model& model, const Context& context) const override;

 private:
  const std::string target_;
  const std::int64_t mtime_;
  const About about_;
};

/// Any file that is a blob: `about.digest` and `about.size` are set.
class BlobFile final : public TreeNode {
 public:
  BlobFile(std::string identity, std::int64_t mtime, About about);
  Result<std::shared_ptr<File>> open(Model& model, const Context& context) const override;
  Result<Attributes> attributes(Model& model, const Context& context) const override;
  Result<Tree::Meaning> meaning(Model& model, const Context& context) const override;

 private:
  const std::int64_t mtime_;
  const About about_;
};

// The families' folders.
TreeNodePtr make_registries_folder();
TreeNodePtr make_repository_folder(Place place);
TreeNodePtr make_root_manifest(Place place);
TreeNodePtr make_manifests_folder(Place place);
TreeNodePtr make_blobs_folder(Place place);
TreeNodePtr make_manifest_folder(Place place, Digest digest, Held held);
/// The same, as the root of the tree: its links lead to .blobs and .manifests beside them.
TreeNodePtr make_manifest_at_root(Place place, Digest digest, Held held);
TreeNodePtr make_control_folder();
/// .tags of a repository.
TreeNodePtr make_tags_folder(Place place);
/// The properties of a tag, a manifest or a repository, a file each.
TreeNodePtr make_properties_folder(Subject subject);

/// "<algorithm>/<hex>", as it stands below .manifests and .blobs.
std::string digest_path(const Digest& digest);

}  // namespace berth::tree
