// SPDX-License-Identifier: Apache-2.0
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/json/writer.hpp"

#include "commands.hpp"
#include "exit_status.hpp"
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

std::string as_line(const std::string& name, const json::Node& value) {
  std::string text = value.to_text();
  if (text.size() >= 2 && text.front() == '"') text = text.substr(1, text.size() - 2);
  return name + ":" + std::string(name.size() < 11 ? 12 - name.size() : 1, ' ') +
         text::escape_for_terminal(text) + "\n";
}

Result<json::Node::Object> stat(const std::string& text, Workspace& workspace) {
  const Located located = TRY(workspace.locate(text, false));
  const auto meaning = TRY(located.tree->meaning(located.found.node, workspace.context()));
  std::string target;
  if (located.found.node->type() == tree::Type::link) {
    target = TRY(located.tree->read_link(located.found.node, workspace.context()));
  }
  return describe(meaning, located, target);
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
    for (const auto& [name, value] : *fields) workspace.io().print(as_line(name, value));
  }
  if (workspace.options().json) workspace.io().print(all.to_text(2) + "\n");
  return status;
}

}  // namespace berth::cli
