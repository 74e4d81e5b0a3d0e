// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "berth/base/process.hpp"
#include "berth/base/try.hpp"

#include "berthfs.hpp"
#include "commands.hpp"
#include "exit_status.hpp"

namespace berth::cli {

namespace {

namespace fs = std::filesystem;

/// berthfs knows how to find the process that serves a mount.
Result<int> refresh_mount(const std::string& folder, Workspace& workspace) {
  const fs::path program = TRY(find_berthfs());
  const ProcessSpec spec{.argv = {program.string(), "--refresh", folder}};
  const ProcessResult done = TRY(run_process(spec, workspace.context()));
  return done.exit_code;
}

/// Asks the registry again, so that what is remembered on disk is fresh for the next command.
Result<int> refresh_place(const std::string& text, Workspace& workspace) {
  const Place place = TRY(parse_place(text));
  tree::Tree* tree = TRY(workspace.tree_of(place));
  tree->refresh();
  const Located located = TRY(workspace.locate(text, true));
  if (located.found.node->type() == tree::Type::folder) {
    TRY(located.tree->list(located.found.node, workspace.context()));
  }
  return kDone;
}

Result<int> refresh(const std::string& target, Workspace& workspace) {
  std::error_code ignored;
  const auto place = parse_place(target);
  const bool is_folder = fs::is_directory(target, ignored);
  if (is_folder && (!place || place->kind == Place::Kind::local))
    return refresh_mount(target, workspace);
  if (!place) return place.error();
  if (place->kind == Place::Kind::local) return Error{Errc::not_found, target + " does not exist"};
  return refresh_place(target, workspace);
}

}  // namespace

int run_refresh(const RefreshCommand& command, Workspace& workspace) {
  workspace.name_hosts({command.target});
  auto done = refresh(command.target, workspace);
  return done ? *done : report(workspace, done.error());
}

}  // namespace berth::cli
