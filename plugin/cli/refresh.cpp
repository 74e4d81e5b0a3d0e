// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/types.h>

#include <cerrno>
#include <filesystem>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

#include "commands.hpp"
#include "exit_status.hpp"

namespace berth::cli {

namespace {

namespace fs = std::filesystem;

/// A mount says in .berth/pid who serves it; SIGHUP makes that process forget.
Result<void> refresh_mount(const std::string& folder) {
  auto text = read_file(fs::path(folder) / ".berth/pid", 64);
  if (!text) {
    return Error{Errc::not_found,
                 folder + " is no mount of berth (it has no .berth/pid): name its mount point"}
        .because(std::move(text).error());
  }
  const auto pid = TRY(text::parse_unsigned(text::trim(*text)));
  if (::kill(static_cast<pid_t>(pid), SIGHUP) == 0) return {};
  if (errno == EPERM) {
    return Error{Errc::denied,
                 folder + " is served for somebody else: only they and root may refresh it"};
  }
  return Error::from_errno(errno, "signalling berthfs (process " + std::to_string(pid) + ")");
}

/// Asks the registry again, so that what is remembered on disk is fresh for the next command.
Result<void> refresh_place(const std::string& text, Workspace& workspace) {
  const Place place = TRY(parse_place(text));
  tree::Tree* tree = TRY(workspace.tree_of(place));
  tree->refresh();
  const Located located = TRY(workspace.locate(text, true));
  if (located.found.node->type() == tree::Type::folder) {
    TRY(located.tree->list(located.found.node, workspace.context()));
  }
  return {};
}

Result<void> refresh(const std::string& target, Workspace& workspace) {
  std::error_code ignored;
  const auto place = parse_place(target);
  const bool is_folder = fs::is_directory(target, ignored);
  if (is_folder && (!place || place->kind == Place::Kind::local)) return refresh_mount(target);
  if (!place) return place.error();
  if (place->kind == Place::Kind::local) return Error{Errc::not_found, target + " does not exist"};
  return refresh_place(target, workspace);
}

}  // namespace

int run_refresh(const RefreshCommand& command, Workspace& workspace) {
  workspace.name_hosts({command.target});
  auto done = refresh(command.target, workspace);
  return done ? static_cast<int>(kDone) : report(workspace, done.error());
}

}  // namespace berth::cli
