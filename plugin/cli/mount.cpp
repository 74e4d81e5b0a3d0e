// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "berth/base/open_file_limit.hpp"
#include "berth/base/process.hpp"
#include "berth/base/try.hpp"

#include "berthfs.hpp"
#include "commands.hpp"
#include "exit_status.hpp"

namespace berth::cli {

namespace fs = std::filesystem;

/// berthfs stands beside berth, or in libexec of the same prefix; PATH is not asked.
Result<fs::path> find_berthfs() {
  std::error_code ignored;
  const fs::path self = fs::read_symlink("/proc/self/exe", ignored);
  const fs::path folder = self.parent_path();
  for (const fs::path& candidate :
       {folder / "berthfs", folder / "../libexec/berth/berthfs", folder / "../lib/berth/berthfs"}) {
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return Error{Errc::not_found,
               "berthfs is not installed beside " + self.string() + " nor in its libexec folder"};
}

Result<int> run_berthfs(std::vector<std::string> arguments, const Context& context) {
  const fs::path program = TRY(find_berthfs());
  arguments.insert(arguments.begin(), program.string());
  const ProcessResult done = TRY(run_process({.argv = std::move(arguments)}, context));
  return done.exit_code;
}

namespace {

/// A comma in a value is written "\,", as berthfs reads it.
void add_option(std::string& options, const std::string& name, const std::string& value) {
  if (value.empty()) return;
  options += (options.empty() ? "" : ",") + name + "=";
  for (const char c : value) options += c == ',' ? std::string("\\,") : std::string(1, c);
}

Result<std::string> option_text(const MountCommand& command, const CommonOptions& common) {
  if (!common.username.empty()) {
    return Error{Errc::invalid_argument,
                 "a mount takes no password: log in with docker or podman, or use --authfile FILE"};
  }
  std::string options;
  for (const std::string& more : command.mount_options)
    options += (options.empty() ? "" : ",") + more;
  const auto flag = [&](bool wanted, const char* name) {
    if (wanted) options += (options.empty() ? "" : ",") + std::string(name);
  };
  flag(common.offline, "offline");
  flag(common.plain_http, "plain_http");
  flag(common.verbose > 0, "debug");
  // Relative paths too: berthfs starts in this folder.
  add_option(options, "authfile", common.auth_file);
  add_option(options, "config", common.docker_config);
  add_option(options, "ca_file", common.ca_file);
  add_option(options, "cert_file", common.cert_file);
  add_option(options, "key_file", common.key_file);
  add_option(options, "key_password_file", common.key_password_file);
  add_option(options, "cache", common.cache);
  if (common.timeout > 0) add_option(options, "timeout", std::to_string(common.timeout));
  add_option(options, "platform", common.platform);
  return options;
}

/// Replaces this process: what berthfs says and exits with is what the person sees.
Result<int> execute(const MountCommand& command, Workspace& workspace) {
  const fs::path program = TRY(find_berthfs());
  std::vector<std::string> arguments{program.string()};
  if (command.foreground) arguments.emplace_back("-f");
  if (const std::string options = TRY(option_text(command, workspace.options()));
      !options.empty()) {
    arguments.emplace_back("-o");
    arguments.push_back(options);
  }
  arguments.emplace_back("--");
  if (!command.place.empty()) arguments.push_back(command.place);
  arguments.push_back(command.folder);
  (void)workspace.io().flush();
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  // main() blocked the signals that berthfs must get, and ignored SIGPIPE.
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  restore_open_file_limit();
  ::execv(argv[0], argv.data());
  return Error::from_errno(errno, "starting " + program.string());
}

Result<void> check_place(const std::string& text) {
  if (text.empty() || text == "all") return {};
  const Place place = TRY(parse_place(text));
  if (place.kind == Place::Kind::local) {
    return Error{Errc::invalid_argument,
                 "'" + text + "' is a local path; a local OCI layout is mounted as oci:" + text};
  }
  return {};
}

}  // namespace

int run_mount(const MountCommand& command, Workspace& workspace) {
  if (auto fine = check_place(command.place); !fine) return report(workspace, fine.error());
  auto status = execute(command, workspace);
  return status ? *status : report(workspace, status.error());
}

int run_unmount(const UnmountCommand& command, Workspace& workspace) {
  std::vector<std::string> arguments{"--unmount"};
  if (command.lazy) arguments.emplace_back("--lazy");
  arguments.insert(arguments.end(), {"--", command.folder});
  const auto status = run_berthfs(std::move(arguments), workspace.context());
  if (!status) return report(workspace, status.error());
  if (*status == kDone) print_done(workspace, "unmounted", command.folder);
  return *status;
}

}  // namespace berth::cli
