// SPDX-License-Identifier: Apache-2.0
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/json/writer.hpp"

#include "commands.hpp"
#include "exit_status.hpp"
#include "fields.hpp"
#include "listing.hpp"

namespace berth::cli {

namespace {

std::string what_it_is(const tree::Tree::Meaning& meaning, const tree::Node& node) {
  if (!meaning.tag.empty()) return "tag";
  if (meaning.is_manifest) return "manifest";
  if (meaning.is_blob) return "blob";
  if (meaning.is_repository) return "repository";
  return std::string(type_name(node.type()));
}

/// A list of names and values: one place's answer, in the order in which it is printed.
json::Node::Object describe(const tree::Tree::Meaning& meaning, const Located& located,
                            const std::string& target) {
  json::Node::Object fields;
  const auto set = [&](std::string name, json::Node value) {
    fields.emplace_back(std::move(name), std::move(value));
  };
  const auto set_text = [&](const char* name, const std::string& value) {
    if (!value.empty()) set(name, value);
  };
  set("place", located.place.text);
  set("kind", what_it_is(meaning, *located.found.node));
  set("type", type_name(located.found.node->type()));
  set_text("registry", meaning.registry);
  set_text("repository", meaning.repository);
  set_text("tag", meaning.tag);
  if (meaning.digest) set("digest", meaning.digest->text());
  set_text("media_type", meaning.media_type);
  if (meaning.size) {
    set("size", *meaning.size);
  } else if (located.found.node->type() == tree::Type::file) {
    set("size", located.found.attributes.size);
  }
  if (located.found.attributes.mtime > 0)
    set("modified", text::format_rfc3339(located.found.attributes.mtime));
  set_text("target", target);
  return fields;
}

/// A list of tags tells neither type nor size of what they lead to: of one place they are worth a
/// request.
void complete(tree::Tree::Meaning& meaning, Workspace& workspace) {
  if (!meaning.is_manifest || meaning.size || !meaning.digest || meaning.source == nullptr ||
      workspace.options().offline) {
    return;
  }
  const auto head = meaning.source->head_manifest(meaning.repository, meaning.digest->text(),
                                                  workspace.context());
  if (!head) return;
  meaning.size = head->size;
  meaning.media_type = head->media_type;
}

Result<json::Node::Object> stat(const std::string& text, Workspace& workspace) {
  const Located located = TRY(workspace.locate(text, false));
  auto meaning = TRY(located.tree->meaning(located.found.node, workspace.context()));
  complete(meaning, workspace);
  std::string target;
  if (located.found.node->type() == tree::Type::link) {
    target = TRY(located.tree->read_link(located.found.node, workspace.context()));
  }
  auto fields = describe(meaning, located, target);
  add_properties(fields, TRY(located.tree->properties(located.found.node, workspace.context())));
  return fields;
}

}  // namespace

int run_stat(const StatCommand& command, Workspace& workspace) {
  workspace.name_hosts(command.places);
  int status = kDone;
  bool first = true;
  json::Node all = json::Node::array();
  for (const std::string& place : command.places) {
    auto fields = stat(place, workspace);
    if (!fields) {
      status = worse(status, report(workspace, fields.error()));
      continue;
    }
    if (workspace.options().json) {
      all.push_back(json::Node::object(std::move(*fields)));
      continue;
    }
    if (!std::exchange(first, false)) workspace.io().print("\n");
    print_fields(workspace.io(), *fields);
  }
  if (workspace.options().json) workspace.io().print(all.to_text(2) + "\n");
  return status;
}

}  // namespace berth::cli
