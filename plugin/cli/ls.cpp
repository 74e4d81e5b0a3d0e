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

/// Below a manifest's folder lie views whose links lead to other manifests: ls -R does not follow
/// links, as ls(1).
class Lister {
 public:
  Lister(const LsCommand& command, Workspace& workspace)
      : command_(command),
        workspace_(workspace) {}

  Result<void> list(const std::string& text) {
    Located located = TRY(workspace_.locate(text, true));
    if (located.found.node->type() != tree::Type::folder) {
      return show(located, {{located.place.text, located.found.node->type()}}, nullptr, "");
    }
    note_untagged(workspace_, located);
    TRY(list_folder(located, located.found.node, text));
    note_unlisted(workspace_, located);
    return {};
  }

  /// The registries that are known.
  Result<void> list_all() {
    tree::Tree* tree = TRY(workspace_.tree_of_all());
    const auto root = tree->root();
    const auto attributes = TRY(tree->attributes(root, workspace_.context()));
    Located located{.tree = tree, .found = {.node = root, .attributes = attributes}};
    return list_folder(located, root, "");
  }

  std::string json() const { return array_.to_text(2); }
  /// Of what failed below the places while the rest was listed.
  int status() const noexcept { return failures_.status(); }

 private:
  Result<void> list_folder(Located& located, const tree::NodePtr& folder, const std::string& text) {
    std::vector<tree::Entry> entries = TRY(located.tree->list(folder, workspace_.context()));
    std::erase_if(entries,
                  [&](const tree::Entry& e) { return !command_.all && e.name.starts_with('.'); });
    std::ranges::sort(entries, {}, &tree::Entry::name);
    if (by_name() && command_.reverse) std::ranges::reverse(entries);
    if (headings_ && !workspace_.options().json) {
      workspace_.io().print((first_ ? "" : "\n") + text::escape_for_terminal(text) + ":\n");
    }
    first_ = false;
    TRY(show(located, entries, folder, text));
    if (!command_.recursive) return {};
    for (const auto& entry : entries) {
      if (entry.type != tree::Type::folder) continue;
      const std::string place = place_below(text, entry.name);
      if (auto listed = list_child(located, folder, entry.name, place); !listed) {
        TRY(failures_.note(std::move(listed).error(), place));
      } else {
        failures_.went_well();
      }
    }
    return {};
  }

  Result<void> list_child(Located& located, const tree::NodePtr& folder, const std::string& name,
                          const std::string& place) {
    const auto child = TRY(located.tree->lookup(folder, name, workspace_.context()));
    return list_folder(located, child.node, place);
  }

  /// `folder` null: the entry is the located place itself.
  Result<void> show(Located& located, const std::vector<tree::Entry>& entries,
                    const tree::NodePtr& folder, const std::string& below) {
    if (!command_.long_format && !workspace_.options().json && by_name()) {
      print_names(workspace_.io(), entries, command_.one_column);
      return {};
    }
    std::vector<Row> rows;
    for (const auto& entry : entries) {
      auto row = describe(located, entry, folder);
      if (row) {
        failures_.went_well();
      } else {
        const Errc why = row.error().code();
        TRY(failures_.note(std::move(row).error(), place_below(below, entry.name)));
        row = Row{.name = entry.name, .type = entry.type, .failed = why};
      }
      rows.push_back(std::move(*row));
    }
    sort(rows);
    if (!command_.long_format && !workspace_.options().json) {
      std::vector<tree::Entry> sorted;
      sorted.reserve(rows.size());
      for (const Row& row : rows) sorted.push_back({row.name, row.type});
      print_names(workspace_.io(), sorted, command_.one_column);
      return {};
    }
    if (workspace_.options().json) {
      for (const Row& row : rows) array_.push_back(to_json(row, below));
    } else {
      print_rows(workspace_.io(), rows);
    }
    return {};
  }

  bool by_name() const { return command_.sort == "name"; }

  /// Those that are equal in the order of their names.
  void sort(std::vector<Row>& rows) const {
    if (by_name()) return;
    const auto key = [&](const Row& row) {
      return command_.sort == "size" ? static_cast<std::int64_t>(row.size) : row.mtime;
    };
    std::ranges::sort(rows, [&](const Row& a, const Row& b) {
      if (key(a) == key(b)) return a.name < b.name;
      return command_.reverse ? key(a) < key(b) : key(a) > key(b);
    });
  }

  Result<Row> describe(Located& located, const tree::Entry& entry, const tree::NodePtr& folder) {
    Row row{.name = entry.name, .type = entry.type};
    const bool wants_more = command_.long_format || !by_name();
    if (!wants_more) return row;
    tree::Found found = located.found;
    if (folder) found = TRY(located.tree->lookup(folder, entry.name, workspace_.context()));
    row.size = found.attributes.size;
    row.mtime = found.attributes.mtime;
    if (entry.type == tree::Type::link) {
      row.target = TRY(located.tree->read_link(found.node, workspace_.context()));
      const auto meaning = TRY(located.tree->meaning(found.node, workspace_.context()));
      if (meaning.digest) row.digest = meaning.digest->text();
    }
    return row;
  }

  json::Node to_json(const Row& row, const std::string& below) const {
    json::Node object = json::Node::object();
    object.set("name", row.name);
    if (headings_ && !below.empty()) object.set("folder", below);
    object.set("type", type_name(row.type));
    if (row.failed) {
      object.set("error", to_string(*row.failed));
    } else if (command_.long_format) {
      object.set("size", row.size);
      if (row.mtime > 0) object.set("mtime", text::format_rfc3339(row.mtime));
      if (!row.target.empty()) object.set("target", row.target);
      if (!row.digest.empty()) object.set("digest", row.digest);
    }
    return object;
  }

  const LsCommand& command_;
  Workspace& workspace_;
  Failures failures_{workspace_};
  json::Node array_ = json::Node::array();
  bool first_ = true;
  bool headings_ = command_.recursive || command_.places.size() > 1;
};

}  // namespace

int run_ls(const LsCommand& command, Workspace& workspace) {
  workspace.name_hosts(command.places);
  if (command.all) workspace.list_all();
  Lister lister(command, workspace);
  int status = kDone;
  const auto note = [&](const Result<void>& listed) {
    // What failed on the way was reported before.
    status = worse(status, lister.status());
    if (!listed) status = worse(status, report(workspace, listed.error()));
  };
  if (command.places.empty()) note(lister.list_all());
  for (const std::string& place : command.places) note(lister.list(place));
  if (workspace.options().json) workspace.io().print(lister.json() + "\n");
  return status;
}

}  // namespace berth::cli
