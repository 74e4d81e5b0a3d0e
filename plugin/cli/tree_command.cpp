// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/json/writer.hpp"

#include "commands.hpp"
#include "exit_status.hpp"
#include "failures.hpp"
#include "listing.hpp"

namespace berth::cli {

namespace {

class Drawer {
 public:
  Drawer(const TreeCommand& command, Workspace& workspace)
      : command_(command),
        workspace_(workspace) {}

  Result<void> draw(const std::string& text) {
    Located located = TRY(workspace_.locate(text, true));
    if (workspace_.options().json) {
      json::Node object =
          TRY(to_json(*located.tree, located.found.node, text, text, command_.depth));
      array_.push_back(std::move(object));
      return {};
    }
    note_untagged(workspace_, located);
    workspace_.io().print(shown_name(workspace_.io(), text, located.found.node->type()) + "\n");
    TRY(draw_below(*located.tree, located.found.node, text, "", command_.depth));
    note_unlisted(workspace_, located);
    return {};
  }

  /// One document, however many places.
  std::string json() const { return array_.to_text(2); }
  /// Of what failed below the places while the rest was drawn.
  int status() const noexcept { return failures_.status(); }

 private:
  Result<std::vector<tree::Entry>> sorted(tree::Tree& tree, const tree::NodePtr& folder) {
    auto entries = TRY(tree.list(folder, workspace_.context()));
    std::erase_if(entries, [](const tree::Entry& entry) { return entry.name.starts_with('.'); });
    std::ranges::sort(entries, {}, &tree::Entry::name);
    return entries;
  }

  Result<void> draw_below(tree::Tree& tree, const tree::NodePtr& folder, const std::string& text,
                          const std::string& indent, unsigned depth) {
    if (folder->type() != tree::Type::folder || depth == 0) return {};
    const auto entries = TRY(sorted(tree, folder));
    for (std::size_t index = 0; index < entries.size(); ++index) {
      const auto& entry = entries[index];
      const bool last = index + 1 == entries.size();
      workspace_.io().print(indent + (last ? "└── " : "├── ") +
                            shown_name(workspace_.io(), entry.name, entry.type) + "\n");
      if (entry.type != tree::Type::folder || depth == 1) continue;
      const std::string place = place_below(text, entry.name);
      auto child = tree.lookup(folder, entry.name, workspace_.context());
      auto drawn =
          child ? draw_below(tree, child->node, place, indent + (last ? "    " : "│   "), depth - 1)
                : Result<void>(std::move(child).error());
      if (drawn) {
        failures_.went_well();
      } else {
        TRY(failures_.note(std::move(drawn).error(), place));
      }
    }
    return {};
  }

  /// `text`: the place of `node`, for messages.
  Result<json::Node> to_json(tree::Tree& tree, const tree::NodePtr& node, const std::string& name,
                             const std::string& text, unsigned depth) {
    json::Node object = json::Node::object();
    object.set("name", name);
    object.set("type", type_name(node->type()));
    if (node->type() != tree::Type::folder || depth == 0) return object;
    json::Node children = json::Node::array();
    for (const auto& entry : TRY(sorted(tree, node))) {
      json::Node below = TRY(child_json(tree, node, entry, place_below(text, entry.name), depth));
      children.push_back(std::move(below));
    }
    object.set("children", std::move(children));
    return object;
  }

  /// An entry that fails is there with its name, its type and the reason.
  Result<json::Node> child_json(tree::Tree& tree, const tree::NodePtr& folder,
                                const tree::Entry& entry, const std::string& place,
                                unsigned depth) {
    json::Node leaf = json::Node::object();
    leaf.set("name", entry.name);
    leaf.set("type", type_name(entry.type));
    if (entry.type != tree::Type::folder) return leaf;
    auto child = tree.lookup(folder, entry.name, workspace_.context());
    auto below = child ? to_json(tree, child->node, entry.name, place, depth - 1)
                       : Result<json::Node>(std::move(child).error());
    if (below) {
      failures_.went_well();
      return below;
    }
    leaf.set("error", to_string(below.error().code()));
    TRY(failures_.note(std::move(below).error(), place));
    return leaf;
  }

  const TreeCommand& command_;
  Workspace& workspace_;
  Failures failures_{workspace_};
  json::Node array_ = json::Node::array();
};

}  // namespace

int run_tree(const TreeCommand& command, Workspace& workspace) {
  workspace.name_hosts(command.places);
  Drawer drawer(command, workspace);
  int status = kDone;
  for (const std::string& place : command.places) {
    const auto drawn = drawer.draw(place);
    // What failed on the way was reported before.
    status = worse(status, drawer.status());
    if (!drawn) status = worse(status, report(workspace, drawn.error()));
  }
  if (workspace.options().json) workspace.io().print(drawer.json() + "\n");
  return status;
}

}  // namespace berth::cli
