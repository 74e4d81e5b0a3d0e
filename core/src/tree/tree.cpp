// SPDX-License-Identifier: Apache-2.0
#include "berth/tree/tree.hpp"

#include <algorithm>
#include <deque>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/oci/reference.hpp"

#include "tree/node.hpp"

namespace berth::tree {
namespace {

/// As Linux: more links than this in one path are a circle.
constexpr int kLinkLimit = 40;

/// Every node that this tree is given is one that it made.
const TreeNode& own(const NodePtr& node) { return static_cast<const TreeNode&>(*node); }

}  // namespace

struct Tree::Impl {
  Impl(std::unique_ptr<Sources> sources, Options options)
      : model(std::move(sources), std::move(options)) {}
  Model model;
};

Tree::Tree(std::unique_ptr<Sources> sources, Options options)
    : impl_(std::make_unique<Impl>(std::move(sources), std::move(options))) {}
Tree::~Tree() = default;

NodePtr Tree::root() const { return impl_->model.root(); }

Result<Found> Tree::lookup(const NodePtr& folder, std::string_view name, const Context& context) {
  Model& model = impl_->model;
  model.counters.lookups.fetch_add(1, std::memory_order_relaxed);
  // What could be no name at all reaches no grammar below: paths and identities are built from it.
  const bool possible =
      !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
      std::ranges::none_of(name, [](char c) { return c == '/' || c == '\n' || c == '\0'; });
  auto answer = possible ? own(folder).lookup(model, name, context)
                         : Result<Found>(Error(Errc::not_found, "no entry bears such a name"));
  if (!answer && answer.error().code() == Errc::not_found) {
    model.counters.absent.fetch_add(1, std::memory_order_relaxed);
  }
  return answer;
}

Ttl Tree::negative_ttl(const NodePtr& folder, std::string_view name) const {
  return own(folder).negative_ttl(impl_->model, name);
}

Result<std::vector<Entry>> Tree::list(const NodePtr& folder, const Context& context) {
  impl_->model.counters.lists.fetch_add(1, std::memory_order_relaxed);
  return own(folder).list(impl_->model, context);
}

std::string Tree::unlisted(const NodePtr& folder) { return own(folder).unlisted(impl_->model); }

Result<Attributes> Tree::attributes(const NodePtr& node, const Context& context) {
  return own(node).attributes(impl_->model, context);
}

Result<std::string> Tree::read_link(const NodePtr& link, const Context& /*context*/) {
  return own(link).read_link();
}

Result<std::shared_ptr<File>> Tree::open(const NodePtr& file, const Context& context) {
  impl_->model.counters.opens.fetch_add(1, std::memory_order_relaxed);
  return own(file).open(impl_->model, context);
}

Result<void> Tree::write(const NodePtr& file, std::string_view text, const Context& context) {
  return own(file).write(impl_->model, text, context);
}

Result<Tree::Meaning> Tree::meaning(const NodePtr& node, const Context& context) {
  return own(node).meaning(impl_->model, context);
}

Result<std::vector<std::pair<std::string, std::string>>> Tree::properties(const NodePtr& node,
                                                                          const Context& context) {
  const Meaning of = TRY(meaning(node, context));
  Subject subject{{of.registry, of.repository}, of.tag, std::nullopt};
  if (subject.tag.empty() && (of.is_manifest || of.is_properties)) subject.digest = of.digest;
  const bool is_one =
      !subject.tag.empty() || subject.digest || of.is_repository || of.is_properties;
  using Fields = std::vector<std::pair<std::string, std::string>>;
  if (!is_one || !impl_->model.properties.offered(subject.place)) return Fields{};
  auto set = impl_->model.properties.get(subject, context);
  if (set) return (*set)->fields();
  if (impl_->model.properties.note_refusal(subject.place, set.error())) return Fields{};
  return std::move(set).error();
}

void Tree::refresh() { impl_->model.refresh(); }

namespace {

/// A walk down a path, with the folders passed so that ".." finds its way back.
class Walk {
 public:
  Walk(Tree& tree, Model& model, const NodePtr& from, std::string_view path, bool follow)
      : tree_(tree),
        model_(model),
        follow_(follow || path.ends_with('/')) {
    stack_.push_back({from, {}, Ttl{0}});
    push_front(path);
  }

  Result<Found> run(const Context& context) {
    const Attributes attributes = TRY(tree_.attributes(stack_.front().node, context));
    stack_.front().attributes = attributes;
    while (!parts_.empty()) {
      pass_folders();
      if (parts_.empty()) break;
      const std::string name = std::move(parts_.front());
      parts_.pop_front();
      if (name == ".." && stack_.back().node->type() == Type::folder) {
        if (stack_.size() > 1) stack_.pop_back();
        continue;
      }
      TRY(step(name, context));
    }
    return stack_.back();
  }

 private:
  void push_front(std::string_view path) {
    const auto parts = text::split(path, '/');
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      if (!part->empty() && *part != ".") parts_.emplace_front(*part);
    }
  }

  Result<void> step(const std::string& name, const Context& context) {
    const NodePtr folder = stack_.back().node;
    if (folder->type() != Type::folder) {
      return Error(Errc::not_found, fmt::format("\"{}\" is looked for below a file", name));
    }
    Found next = TRY(tree_.lookup(folder, name, context));
    if (next.node->type() != Type::link || (parts_.empty() && !follow_)) {
      stack_.push_back(std::move(next));
      return {};
    }
    if (++links_ > kLinkLimit) {
      return Error(Errc::invalid_argument,
                   fmt::format("\"{}\" leads through too many links", name));
    }
    const std::string target = TRY(tree_.read_link(next.node, context));
    push_front(target);
    return {};
  }

  /// Folders on the way to a pasted reference or a dot folder: whether the repository is there is
  /// known when that is looked up, so that one path costs one question.
  void pass_folders() {
    const Place* place = own(stack_.back().node).repository_place();
    if (place == nullptr || model_.asking.is_layout()) return;
    const auto decides = std::ranges::find_if(parts_, [](const std::string& part) {
      return part == ".." || !oci::is_repository_component(part);
    });
    if (decides == parts_.end() || *decides == "..") return;
    const bool reference = decides->find_first_of(":@") != std::string::npos;
    const bool dotted = *decides == ".manifests" || *decides == ".blobs" || *decides == ".tags" ||
                        *decides == ".properties";
    if (!reference && !dotted) return;
    Place at = *place;
    for (auto passed = decides - parts_.begin(); passed > 0; --passed) {
      at = at.below(parts_.front());
      if (!oci::is_repository(at.repository)) return;
      stack_.push_back({make_repository_folder(at), {}, model_.tag_ttl()});
      parts_.pop_front();
    }
  }

  Tree& tree_;
  Model& model_;
  const bool follow_;
  int links_ = 0;
  std::vector<Found> stack_;
  std::deque<std::string> parts_;
};

}  // namespace

Result<Found> Tree::walk(const NodePtr& from, std::string_view path, bool follow,
                         const Context& context) {
  return Walk(*this, impl_->model, from, path, follow).run(context);
}

}  // namespace berth::tree
