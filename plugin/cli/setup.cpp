// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "berth/base/fd.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/tool_setup.hpp"
#include "berth/json/writer.hpp"

#include "commands.hpp"
#include "exit_status.hpp"
#include "password.hpp"

namespace berth::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kPlugin = "docker-berth";

/// docker's folder of its command line plugins, where the command appears as `docker berth`.
struct PluginLink {
  fs::path link;
  fs::path program;
  fs::path target;          ///< where the link leads now; "": there is none
  bool is_foreign = false;  ///< what has the link's name is somebody else's

  bool is_set_up() const { return target == program; }
  bool is_ours() const { return !target.empty() && !is_foreign; }
};

Result<PluginLink> plugin_link(const Environment& environment) {
  const auto named = environment("DOCKER_CONFIG");
  const auto home = home_directory(environment);
  if (!named && !home) return Error{Errc::invalid_argument, "HOME is not set"};
  std::error_code error;
  PluginLink plugin;
  plugin.link = (named ? fs::path(*named) : *home / ".docker") / "cli-plugins" / kPlugin;
  plugin.program = fs::read_symlink("/proc/self/exe", error);
  if (error) return Error::from_errno(error.value(), "finding the berth program");
  if (const auto status = fs::symlink_status(plugin.link, error); fs::exists(status)) {
    plugin.target = fs::read_symlink(plugin.link, error);
    // A berth that was somewhere else until now is berth too.
    plugin.is_foreign = !plugin.is_set_up() && plugin.target.filename() != "berth";
  }
  return plugin;
}

/// Before anything is written.
Result<void> check_link(const PluginLink& plugin) {
  if (!plugin.is_foreign) return {};
  return Error{Errc::conflict,
               plugin.link.string() + " is there and not berth's" +
                   (plugin.target.empty() ? "" : " (it leads to " + plugin.target.string() + ")") +
                   ": remove it first, so that `docker berth` can be this program"};
}

/// Each state of the link is one that docker can read: it is replaced, not removed and made again.
Result<void> put_link(const PluginLink& plugin, bool undo) {
  std::error_code error;
  if (undo) {
    if (plugin.is_ours()) fs::remove(plugin.link, error);
    return error
               ? Result<void>(Error::from_errno(error.value(), "removing " + plugin.link.string()))
               : Result<void>();
  }
  if (plugin.is_set_up()) return {};
  TRY(make_directories(plugin.link.parent_path(), 0755));
  const fs::path temporary = plugin.link.string() + ".tmp-" + std::to_string(::getpid());
  fs::create_symlink(plugin.program, temporary, error);
  if (!error) fs::rename(temporary, plugin.link, error);
  if (!error) return {};
  const int number = error.value();
  fs::remove(temporary, error);
  return Error::from_errno(number, "linking " + plugin.link.string());
}

/// "" when nothing comes of it.
std::string link_change(const PluginLink& plugin, bool undo) {
  if (undo) return plugin.is_ours() ? plugin.link.string() + " (removed)" : "";
  if (plugin.is_set_up()) return "";
  return plugin.link.string() + " -> " + plugin.program.string() +
         (plugin.target.empty() ? " (new)" : " (was " + plugin.target.string() + ")");
}

Result<credential::SetupPlan> make_plan(const SetupCommand& command, Workspace& workspace) {
  credential::SetupRequest request;
  request.environment = workspace.io().environment();
  request.registries = command.registries;
  request.file = command.file;
  request.undo = command.undo;
  if (command.tool == "docker") return credential::plan_docker(request);
  if (command.tool == "podman") return credential::plan_podman(request);
  return credential::plan_kubelet(request);
}

bool may_go_on(const SetupCommand& command, Workspace& workspace) {
  if (command.yes || ::isatty(workspace.io().in()) == 0) return true;
  const auto answer = ask_line(workspace.io(), "Write this? [y/N] ");
  return answer && (*answer == "y" || *answer == "Y" || *answer == "yes");
}

void print_plan(const credential::SetupPlan& plan, const std::string& link, Workspace& workspace) {
  Io& io = workspace.io();
  if (workspace.options().json) {
    json::Node files = json::Node::array();
    for (const auto& change : plan.files) {
      json::Node object = json::Node::object();
      object.set("file", change.file.string());
      object.set("change", credential::show_change(change));
      files.push_back(std::move(object));
    }
    json::Node root = json::Node::object();
    root.set("files", std::move(files));
    if (!link.empty()) root.set("link", link);
    json::Node notes = json::Node::array();
    for (const std::string& note : plan.notes) notes.push_back(note);
    root.set("notes", std::move(notes));
    io.print(root.to_text(2) + "\n");
    return;
  }
  for (const auto& change : plan.files) {
    const std::string shown = credential::show_change(change);
    for (const std::string_view line : text::split(shown, '\n')) {
      if (!line.empty()) io.print(text::escape_for_terminal(line) + "\n");
    }
  }
  if (!link.empty()) io.print(text::escape_for_terminal(link) + "\n");
  for (const std::string& note : plan.notes) io.print(note + "\n");
}

Result<int> setup(const SetupCommand& command, Workspace& workspace) {
  const credential::SetupPlan plan = TRY(make_plan(command, workspace));
  std::optional<PluginLink> plugin;
  if (command.tool == "docker") plugin = TRY(plugin_link(workspace.io().environment()));
  if (plugin && !command.undo) TRY(check_link(*plugin));
  const std::string link = plugin ? link_change(*plugin, command.undo) : "";
  if (plan.files.empty() && link.empty() && !workspace.options().json) {
    for (const std::string& note : plan.notes) workspace.io().print(note + "\n");
    workspace.io().print(command.undo ? "There is nothing to undo.\n" : "It is set up already.\n");
    return kDone;
  }
  print_plan(plan, link, workspace);
  TRY(workspace.io().flush());
  if (command.dry_run || !may_go_on(command, workspace)) return kDone;
  TRY(credential::apply_plan(plan));
  if (plugin) TRY(put_link(*plugin, command.undo));
  return kDone;
}

}  // namespace

int run_setup(const SetupCommand& command, Workspace& workspace) {
  const auto done = setup(command, workspace);
  return done ? *done : report(workspace, done.error());
}

}  // namespace berth::cli
