// SPDX-License-Identifier: Apache-2.0
// .tags, .properties and a manifest's properties: what a registry says of its content, as files.
#include <algorithm>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/oci/reference.hpp"

#include "tree/node.hpp"

namespace berth::tree {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

About about(const Subject& subject) {
  About of;
  of.place = subject.place;
  of.tag = subject.tag;
  of.digest = subject.digest;
  of.is_properties = true;
  return of;
}

/// What is known of a subject. Of a tag that is where it leads, whatever the registry is; and that
/// alone where it shows no properties.
Result<Fields> fields_of(Model& model, const Subject& subject, const Context& context) {
  if (model.properties.offered(subject.place)) {
    const auto set = model.properties.get(subject, context);
    if (set) {
      Fields fields = (*set)->fields();
      if (!subject.digest) return fields;
      // No list and no property tells it: the manifest does, which stands in the same folder.
      const auto view = model.manifests.get(subject.place, *subject.digest, context);
      if (!view && view.error().code() == Errc::would_block) return view.error();
      const std::string type =
          view && (*view)->document ? (*view)->document->artifact_type() : std::string();
      if (!type.empty()) {
        fields.emplace_back("artifact_type", type);
        std::ranges::sort(fields);
      }
      return fields;
    }
    if (!model.properties.note_refusal(subject.place, set.error())) return set.error();
    if (subject.tag.empty()) return set.error();
  }
  if (subject.tag.empty()) return no_such_name(subject.place.text(), "properties");
  const TagTarget target = TRY(model.tags().resolve(subject.place, subject.tag, context));
  return Fields{{"digest", target.digest.text()}};
}

/// When it was last changed, as far as it was told.
std::int64_t time_of(Model& model, const Subject& subject) {
  const auto set = model.properties.known(subject);
  if (set && set->told) return set->updated();
  if (!subject.tag.empty()) {
    const auto target = model.tags().fresh(subject.place, subject.tag);
    if (target && *target) return (*target)->first_seen;
  }
  return model.asking.folder_time();
}

Result<bool> parse_flag(std::string_view name, std::string_view text) {
  const std::string_view word = text::trim(text);
  if (word == "true") return true;
  if (word == "false") return false;
  return Error(Errc::invalid_argument, fmt::format("{} is true or false, not \"{}\"", name,
                                                   text::escape_for_terminal(word.substr(0, 40))));
}

/// One property. Its text may be another at any time: it is read anew by each open file.
class PropertyFile final : public TreeNode {
 public:
  PropertyFile(Subject subject, std::string name)
      : TreeNode(Type::file, fmt::format("property\n{}\n{}", subject.key(), name)),
        subject_(std::move(subject)),
        name_(std::move(name)) {}

  Result<std::shared_ptr<File>> open(Model& model, const Context& context) const override {
    return open_text(std::make_shared<const std::string>(TRY(text(model, context))), false);
  }
  Result<Attributes> attributes(Model& model, const Context& context) const override {
    Attributes attributes;
    attributes.type = Type::file;
    attributes.size = TRY(text(model, context)).size();
    attributes.mtime = time_of(model, subject_);
    // The kernel must not cut a longer text down to the size that it once saw.
    attributes.direct_io = true;
    attributes.writable = name_.starts_with("can_");
    attributes.ttl = model.properties.left(subject_);
    return attributes;
  }
  Result<void> write(Model& model, std::string_view text, const Context& context) const override {
    if (!name_.starts_with("can_")) return TreeNode::write(model, text, context);
    const bool value = TRY(parse_flag(name_, text));
    TRY(model.properties.set(subject_, name_, value, context));
    return {};
  }
  Result<Tree::Meaning> meaning(Model& model, const Context& /*context*/) const override {
    return meaning_of(model, subject_.place);
  }

 private:
  Result<std::string> text(Model& model, const Context& context) const {
    for (const auto& [name, text] : TRY(fields_of(model, subject_, context))) {
      if (name == name_) return text + '\n';
    }
    return no_such_name("the properties of " + subject_.text(), name_);
  }

  const Subject subject_;
  const std::string name_;
};

class PropertiesFolder final : public TreeNode {
 public:
  explicit PropertiesFolder(Subject subject)
      : TreeNode(Type::folder, "properties\n" + subject.key()),
        subject_(std::move(subject)) {}

  Result<Found> lookup(Model& model, std::string_view name, const Context& context) const override {
    for (const auto& [known, text] : TRY(fields_of(model, subject_, context))) {
      if (known != name) continue;
      return found(model, std::make_shared<PropertyFile>(subject_, known), model.tag_ttl(),
                   context);
    }
    return no_such_name("the properties of " + subject_.text(), name);
  }
  Result<std::vector<Entry>> list(Model& model, const Context& context) const override {
    std::vector<Entry> entries;
    for (const auto& [name, text] : TRY(fields_of(model, subject_, context))) {
      entries.push_back({name, Type::file});
    }
    return entries;
  }
  Ttl negative_ttl(const Model& model, std::string_view /*name*/) const override {
    return Ttl{model.options().negative_ttl};
  }
  Result<Attributes> attributes(Model& model, const Context& /*context*/) const override {
    return folder_attributes(time_of(model, subject_), model.tag_ttl());
  }
  Result<Tree::Meaning> meaning(Model& model, const Context& /*context*/) const override {
    return meaning_of(model, about(subject_));
  }

 private:
  const Subject subject_;
};

/// .tags: each tag of a repository as a folder, also those whose names repositories below have.
class TagsFolder final : public TreeNode {
 public:
  explicit TagsFolder(Place place)
      : TreeNode(Type::folder, "tags\n" + place.key()),
        place_(std::move(place)) {}

  Result<Found> lookup(Model& model, std::string_view name, const Context& context) const override {
    if (!oci::is_tag(name)) return no_such_name(".tags", name);
    const std::string tag(name);
    const TagTarget target = TRY(model.tags().resolve(place_, tag, context));
    return found(model, make_properties_folder({place_, tag}), target.ttl, context);
  }
  Result<std::vector<Entry>> list(Model& model, const Context& context) const override {
    const Listing listing = TRY(model.listings.tags(place_, context));
    std::vector<Entry> entries;
    entries.reserve(listing.names->names.size());
    for (const std::string& tag : listing.names->names) entries.push_back({tag, Type::folder});
    return entries;
  }
  Ttl negative_ttl(const Model& model, std::string_view /*name*/) const override {
    return Ttl{model.options().negative_ttl};
  }
  Result<Attributes> attributes(Model& model, const Context& /*context*/) const override {
    return folder_attributes(model.asking.folder_time(), model.tag_ttl());
  }
  Result<Tree::Meaning> meaning(Model& model, const Context& /*context*/) const override {
    return meaning_of(model, place_);
  }

 private:
  const Place place_;
};

}  // namespace

TreeNodePtr make_tags_folder(Place place) { return std::make_shared<TagsFolder>(std::move(place)); }

TreeNodePtr make_properties_folder(Subject subject) {
  return std::make_shared<PropertiesFolder>(std::move(subject));
}

}  // namespace berth::tree
