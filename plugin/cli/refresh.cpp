// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <filesystem>

#include "berth/base/try.hpp"

#include "berthfs.hpp"
#include "commands.hpp"
#include "exit_status.hpp"

namespace berth::cli {

namespace {

namespace fs = std::filesystem;

/// The tags of a repository and of those below, for every process: which of them will be asked for
/// is not known here.
void distrust(cache::Remembered& remembered, const std::string& registry,
              const std::string& repository) {
  remembered.distrust(registry, repository);
  const std::string below = repository.empty() ? "" : repository + "/";
  for (const std::string& known : remembered.repositories(registry)) {
    if (known.starts_with(below)) remembered.distrust(registry, known);
  }
}

/// Asks the registry again, so that what is remembered on disk is fresh for the next command.
Result<int> refresh_place(const std::string& text, Workspace& workspace) {
  const Place place = TRY(parse_place(text));
  tree::Tree* tree = TRY(workspace.tree_of(place));
  tree->refresh();
  const Located located = TRY(workspace.locate(text, true));
  const auto meaning = TRY(located.tree->meaning(located.found.node, workspace.context()));
  if (place.kind == Place::Kind::registry && meaning.tag.empty()) {
    content::Hub* hub = TRY(workspace.hub());
    distrust(hub->cache().remembered(), meaning.registry, meaning.repository);
  }
  if (located.found.node->type() == tree::Type::folder) {
    TRY(located.tree->list(located.found.node, workspace.context()));
  }
  return kDone;
}

/// A local path, or a name that is no place and a folder here.
bool is_local(const std::string& target, const Result<Place>& place) {
  std::error_code error;
  const auto type = fs::status(target, error).type();
  const bool is_there = type == fs::file_type::directory || error.value() == ENOTCONN;
  return place ? place->kind == Place::Kind::local : is_there;
}

Result<int> refresh(const std::string& target, Workspace& workspace) {
  const auto place = parse_place(target);
  // A folder, even one whose server is gone: berthfs finds the process that serves a mount.
  if (is_local(target, place)) return run_berthfs({"--refresh", "--", target}, workspace.context());
  if (!place) return place.error();
  return refresh_place(target, workspace);
}

}  // namespace

int run_refresh(const RefreshCommand& command, Workspace& workspace) {
  workspace.name_hosts({command.target});
  auto done = refresh(command.target, workspace);
  if (!done) return report(workspace, done.error());
  if (*done == kDone) print_done(workspace, "refreshed", command.target);
  return *done;
}

}  // namespace berth::cli
