// SPDX-License-Identifier: Apache-2.0
#include <map>

#include <fmt/format.h>

#include "berth/acr/models.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

#include "commands.hpp"
#include "exit_status.hpp"
#include "fields.hpp"
#include "listing.hpp"
#include "managed.hpp"

namespace berth::cli {

namespace {

using Member = std::optional<bool> acr::ChangeableProperties::*;

const std::map<std::string_view, Member>& members() {
  static const std::map<std::string_view, Member> all{
      {"can_read", &acr::ChangeableProperties::can_read},
      {"can_write", &acr::ChangeableProperties::can_write},
      {"can_delete", &acr::ChangeableProperties::can_delete},
      {"can_list", &acr::ChangeableProperties::can_list}};
  return all;
}

Result<acr::ChangeableProperties> parse_changes(const std::vector<std::string>& words) {
  acr::ChangeableProperties changes;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    const auto member = members().find(std::string_view(word).substr(0, equals));
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (member == members().end() || (value != "true" && value != "false")) {
      return Error(Errc::invalid_argument,
                   "'" + text::escape_for_terminal(word) +
                       "' sets nothing: write can_read, can_write, can_delete or can_list, "
                       "=true or =false");
    }
    if (changes.*(member->second)) {
      return Error(Errc::invalid_argument, std::string(member->first) + " is set twice");
    }
    changes.*(member->second) = value == "true";
  }
  return changes;
}

template <class Properties>
void add(json::Node::Object& fields, const Properties& now) {
  const auto may = [&](const char* name, const std::optional<bool>& can) {
    if (can) fields.emplace_back(name, *can);
  };
  may("can_read", now.can_read);
  may("can_write", now.can_write);
  may("can_delete", now.can_delete);
  may("can_list", now.can_list);
}

/// What the change is of: one tag, manifest or repository that was named as such. What stands in a
/// manifest's folder is not: a lock is more than who names a file means.
Result<Managed> find_in_tree(const SetCommand& command, Workspace& workspace) {
  const Located located = TRY(workspace.locate(command.place, false));
  const tree::Node& node = *located.found.node;
  const auto of = TRY(located.tree->meaning(located.found.node, workspace.context()));
  const bool is_one = !of.tag.empty() || of.is_manifest || of.is_repository || of.is_properties;
  if (!is_one || of.source == nullptr) {
    return Error(
        Errc::invalid_argument,
        fmt::format("{} is a {} and has no properties of its own: a tag (R/a:v1), a manifest "
                    "(R/a@sha256:...) and a repository (R/a) have",
                    command.place, of.is_blob ? "blob" : type_name(node.type())));
  }
  content::Management* management = of.source->management();
  if (management == nullptr) return content::no_properties(*of.source);
  return Managed{of.registry, of.repository, of.tag, of.digest, management};
}

Result<json::Node::Object> change(const Managed& what, const SetCommand& command,
                                  const acr::ChangeableProperties& changes,
                                  const Context& context) {
  json::Node::Object fields{
      {"place", command.place}, {"registry", what.registry}, {"repository", what.repository}};
  content::Management& management = *what.management;
  if (!what.tag.empty()) {
    const auto now = TRY(management.update_tag(what.repository, what.tag, changes, context));
    fields.emplace_back("tag", what.tag);
    fields.emplace_back("digest", now.digest.text());
    add(fields, now);
  } else if (what.digest) {
    const auto now =
        TRY(management.update_manifest(what.repository, *what.digest, changes, context));
    fields.emplace_back("digest", now.digest.text());
    add(fields, now);
  } else {
    add(fields, TRY(management.update_repository(what.repository, changes, context)));
  }
  return fields;
}

/// The place is no name of a tag, manifest or repository, or its registry has no properties: then
/// what is in no list is absent.
bool knows_no_more(const Error& error) {
  return error.code() == Errc::invalid_argument || error.code() == Errc::unsupported;
}

Result<json::Node::Object> set(const SetCommand& command, Workspace& workspace) {
  const acr::ChangeableProperties changes = TRY(parse_changes(command.changes));
  auto what = find_in_tree(command, workspace);
  std::optional<Error> absent;
  if (!what && what.error().code() == Errc::not_found) {
    // What no list shows may be there all the same: can_list=false is taken back by the name.
    absent = what.error();
    what = find_managed(command.place, workspace);
    if (!what && !knows_no_more(what.error())) return std::move(what).error();
    if (!what || what->repository.empty()) return *std::move(absent);
  }
  if (!what) return std::move(what).error();
  auto fields = change(*what, command, changes, workspace.context());
  if (!fields) return absent && fields.error().code() == Errc::not_found ? *absent : fields.error();
  // What other processes remember of it would say otherwise for a while.
  content::Hub* hub = TRY(workspace.hub());
  hub->cache().remembered().distrust(what->registry, what->repository);
  return fields;
}

}  // namespace

int run_set(const SetCommand& command, Workspace& workspace) {
  workspace.name_hosts({command.place});
  auto fields = set(command, workspace);
  if (!fields) return report(workspace, fields.error());
  if (workspace.options().json) {
    workspace.io().print(json::Node::object(std::move(*fields)).to_text(2) + "\n");
  } else {
    print_fields(workspace.io(), *fields);
  }
  return kDone;
}

}  // namespace berth::cli
