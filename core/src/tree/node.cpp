// SPDX-License-Identifier: Apache-2.0
#include "tree/node.hpp"

#include <cstring>

#include <fmt/format.h>

#include "berth/base/try.hpp"

namespace berth::tree {
namespace {

class TextReader final : public File {
 public:
  TextReader(std::shared_ptr<const std::string> text, bool complete)
      : text_(std::move(text)),
        complete_(complete) {}
  std::uint64_t size() const noexcept override { return text_->size(); }
  bool complete() const noexcept override { return complete_; }
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out,
                           const Context& /*context*/) override {
    if (offset >= text_->size()) return 0;
    const std::size_t count = std::min(out.size(), text_->size() - offset);
    std::memcpy(out.data(), text_->data() + offset, count);
    return count;
  }

 private:
  const std::shared_ptr<const std::string> text_;
  const bool complete_;
};

}  // namespace

Result<Found> TreeNode::lookup(Model& /*model*/, std::string_view name,
                               const Context& /*context*/) const {
  return Error(Errc::not_found, fmt::format("\"{}\" is looked for in what is no folder", name));
}

Result<std::vector<Entry>> TreeNode::list(Model& /*model*/, const Context& /*context*/) const {
  return Error(Errc::invalid_argument, "only a folder can be listed");
}

/// Names under a digest are for ever, and so is their absence.
Ttl TreeNode::negative_ttl(const Model& /*model*/, std::string_view /*name*/) const {
  return kForever;
}

Result<std::string> TreeNode::read_link() const {
  return Error(Errc::invalid_argument, "only a link has a target");
}

Result<std::shared_ptr<File>> TreeNode::open(Model& /*model*/, const Context& /*context*/) const {
  return Error(Errc::invalid_argument, "only a file can be opened");
}

Result<void> TreeNode::write(Model& /*model*/, std::string_view /*text*/,
                             const Context& /*context*/) const {
  return Error(Errc::denied,
               "nothing can be written here: what stands under a digest never changes, and of the "
               "properties can_read, can_write, can_delete and can_list can be set");
}

Result<Found> found(Model& model, TreeNodePtr node, Ttl ttl, const Context& context) {
  Attributes attributes = TRY(node->attributes(model, context));
  return Found{std::move(node), attributes, ttl};
}

Error no_such_name(const std::string& folder, std::string_view name) {
  return {Errc::not_found, fmt::format("there is no \"{}\" in {}", name, folder)};
}

Attributes folder_attributes(std::int64_t mtime, Ttl ttl) {
  Attributes attributes;
  attributes.type = Type::folder;
  attributes.mtime = mtime;
  attributes.ttl = ttl;
  return attributes;
}

Tree::Meaning meaning_of(Model& model, const About& about) {
  Tree::Meaning meaning;
  if (auto source = model.asking.source(about.place.registry)) {
    meaning.source = *std::move(source);
  }
  meaning.registry = about.place.registry;
  meaning.repository = about.place.repository;
  meaning.tag = about.tag;
  meaning.digest = about.digest;
  meaning.is_manifest = about.is_manifest;
  meaning.is_blob = about.is_blob;
  meaning.is_properties = about.is_properties;
  meaning.size = about.size;
  meaning.media_type = about.media_type;
  if (about.is_manifest && about.digest && about.media_type.empty()) {
    // Told of by a list that has neither: perhaps another answer had.
    const auto held = model.holdings.manifest(about.place, *about.digest);
    if (held && !held->media_type.empty()) {
      meaning.size = held->size;
      meaning.media_type = held->media_type;
    }
  }
  return meaning;
}

Tree::Meaning meaning_of(Model& model, const Place& place) {
  About about;
  about.place = place;
  return meaning_of(model, about);
}

Link::Link(std::string identity, std::string target, std::int64_t mtime, About about)
    : TreeNode(Type::link, std::move(identity)),
      target_(std::move(target)),
      mtime_(mtime),
      about_(std::move(about)) {}

Result<Attributes> Link::attributes(Model& /*model*/, const Context& /*context*/) const {
  Attributes attributes;
  attributes.type = Type::link;
  attributes.size = target_.size();
  attributes.mtime = mtime_;
  attributes.ttl = kForever;
  return attributes;
}

Result<Tree::Meaning> Link::meaning(Model& model, const Context& /*context*/) const {
  return meaning_of(model, about_);
}

BlobFile::BlobFile(std::string identity, std::int64_t mtime, About about)
    : TreeNode(Type::file, std::move(identity)),
      mtime_(mtime),
      about_(std::move(about)) {}

Result<std::shared_ptr<File>> BlobFile::open(Model& model, const Context& context) const {
  const auto source = TRY(model.asking.source(about_.place.registry));
  return model.asking.sources().open_blob(source, about_.place.repository, *about_.digest,
                                          *about_.size, context);
}

Result<Attributes> BlobFile::attributes(Model& /*model*/, const Context& /*context*/) const {
  Attributes attributes;
  attributes.type = Type::file;
  attributes.size = *about_.size;
  attributes.mtime = mtime_;
  attributes.ttl = kForever;
  return attributes;
}

Result<Tree::Meaning> BlobFile::meaning(Model& model, const Context& /*context*/) const {
  return meaning_of(model, about_);
}

std::shared_ptr<File> open_text(std::shared_ptr<const std::string> text, bool complete) {
  return std::make_shared<TextReader>(std::move(text), complete);
}

std::string digest_path(const Digest& digest) {
  return fmt::format("{}/{}", digest.algorithm_name(), digest.hex());
}

}  // namespace berth::tree
