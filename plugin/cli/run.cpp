// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/json/writer.hpp"

#include "commands.hpp"
#include "exit_status.hpp"
#include "version.hpp"

namespace berth::cli {

namespace {

struct Runner {
  Workspace& workspace;
  int operator()(const LsCommand& c) const { return run_ls(c, workspace); }
  int operator()(const TreeCommand& c) const { return run_tree(c, workspace); }
  int operator()(const CatCommand& c) const { return run_cat(c, workspace); }
  int operator()(const StatCommand& c) const { return run_stat(c, workspace); }
  int operator()(const SetCommand& c) const { return run_set(c, workspace); }
  int operator()(const DeletedCommand& c) const { return run_deleted(c, workspace); }
  int operator()(const PurgeCommand& c) const { return run_purge(c, workspace); }
  int operator()(const CpCommand& c) const { return run_cp(c, workspace); }
  int operator()(const TagCommand& c) const { return run_tag(c, workspace); }
  int operator()(const UntagCommand& c) const { return run_untag(c, workspace); }
  int operator()(const RmCommand& c) const { return run_rm(c, workspace); }
  int operator()(const MountCommand& c) const { return run_mount(c, workspace); }
  int operator()(const UnmountCommand& c) const { return run_unmount(c, workspace); }
  int operator()(const RefreshCommand& c) const { return run_refresh(c, workspace); }
  int operator()(const CacheCommand& c) const { return run_cache(c, workspace); }
  int operator()(const DoctorCommand& c) const { return run_doctor(c, workspace); }
  int operator()(const LoginCommand& c) const { return run_login(c, workspace); }
  int operator()(const LogoutCommand& c) const { return run_logout(c, workspace); }
  int operator()(const WhoamiCommand& c) const { return run_whoami(c, workspace); }
  int operator()(const TokenCommand& c) const { return run_token(c, workspace); }
  int operator()(const SetupCommand& c) const { return run_setup(c, workspace); }
  int operator()(const CompletionCommand& c) const { return run_completion(c, workspace); }
  int operator()(const CompleteCommand& c) const { return run_complete(c, workspace); }
  int operator()(const VersionCommand& c) const { return run_version(c, workspace); }
};

/// Warnings are for the person at the terminal; what is done and asked only with -v and -vv.
void log_to(Io& io, int verbose, bool as_json) {
  const auto level = verbose >= 2   ? log::Level::debug
                     : verbose == 1 ? log::Level::info
                                    : log::Level::warning;
  log::set_sink(
      [&io, as_json](log::Level line_level, std::string_view line) {
        const bool warns = line_level <= log::Level::warning;
        if (as_json) {
          json::Node object = json::Node::object();
          object.set(warns ? "warning" : "log", std::string(line));
          io.error_text(object.to_text() + "\n");
          return;
        }
        io.error_text((warns ? "berth: warning: " : "berth: ") + text::escape_for_terminal(line) +
                      "\n");
      },
      level);
}

}  // namespace

int print_error(Io& io, bool json, const Error& error) {
  io.error_line(json ? error_json(error) : error_sentence(error));
  return exit_status_of(error);
}

int report(Workspace& workspace, const Error& error) {
  return print_error(workspace.io(), workspace.options().json, error);
}

void say_what_came_is_kept(Workspace& workspace) {
  if (workspace.options().json) return;
  workspace.io().error_line("berth: what came so far is kept: the same command takes it up");
}

void print_done(Workspace& workspace, const char* verb, const std::string& what) {
  if (!workspace.options().json) return;
  json::Node object = json::Node::object();
  object.set(verb, what);
  workspace.io().print(object.to_text(2) + "\n");
}

int worse(int a, int b) noexcept { return a != kDone ? a : b; }

int run(const std::vector<std::string>& arguments, Io& io, const Context& context) {
  ParseResult parsed = parse_command_line(arguments, kVersion);
  if (!parsed.invocation) {
    if (parsed.exit_status == kDone) {
      io.print(parsed.text);
      return io.flush() ? kDone : kFailed;
    }
    // Nothing of the command line is believed but this wish, which is about the answer to it.
    return print_error(io, std::ranges::find(arguments, "--json") != arguments.end(),
                       *parsed.error);
  }
  const CommonOptions& common = parsed.invocation->common;
  log_to(io, common.verbose, common.json);
  int status = kFailed;
  {
    Workspace workspace(
        common, io,
        common.timeout == 0 ? context : context.with_timeout(std::chrono::seconds(common.timeout)));
    status = std::visit(Runner{workspace}, parsed.invocation->command);
  }
  log::set_sink({}, log::Level::error);
  // A reader that closed the pipe early (head) has what it wanted.
  if (const auto flushed = io.flush();
      !flushed && flushed.error().sys_errno() != EPIPE && status == kDone) {
    print_error(io, common.json, flushed.error());
    return kFailed;
  }
  return status;
}

int run_version(const VersionCommand&, Workspace& workspace) {
  if (workspace.options().json) {
    json::Node object = json::Node::object();
    object.set("version", kVersion);
    workspace.io().print(object.to_text() + "\n");
  } else {
    workspace.io().print(std::string("berth ") + kVersion + "\n");
  }
  return kDone;
}

}  // namespace berth::cli
