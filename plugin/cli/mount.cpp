// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

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

namespace {

/// A comma in a value is written "\,", as berthfs reads it.
void add_option(std::string& options, const std::string& name, const std::string& value) {
  if (value.empty()) return;
  options += (options.empty() ? "" : ",") + name + "=";
  for (const char c : value) options += c == ',' ? std::string("\\,") : std::string(1, c);
}

std::string absolute(const std::string& path) {
  return path.empty() ? std::string{} : fs::absolute(path).string();
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
  // The daemon leaves this folder, so relative paths must be made absolute here.
  add_option(options, "authfile", absolute(common.auth_file));
  add_option(options, "config", absolute(common.docker_config));
  add_option(options, "ca_file", absolute(common.ca_file));
  add_option(options, "cert_file", absolute(common.cert_file));
  add_option(options, "key_file", absolute(common.key_file));
  add_option(options, "cache", absolute(common.cache));
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
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  // main() blocked the signals that berthfs must get, and ignored SIGPIPE.
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
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
  const auto table = read_file("/proc/self/mountinfo", 16 * 1024 * 1024);
  std::error_code ignored;
  const std::string folder = fs::weakly_canonical(fs::absolute(command.folder), ignored).string();
  // A space is \\040 there; whoever mounts on such a folder is left to fusermount3's own words.
  if (table && folder.find(' ') == std::string::npos &&
      table->find(" " + folder + " ") == std::string::npos) {
    return report(workspace, Error{Errc::not_found, command.folder + " is no mount of berth"});
  }
  // fusermount3 is setuid and lets users unmount what is theirs; root needs no help but gets the
  // same words.
  ProcessSpec spec{.argv = {"fusermount3", command.lazy ? "-uz" : "-u", "--", command.folder},
                   .inherit_stderr = false};
  auto done = run_process(spec, workspace.context());
  if (done && done->exit_code == 0) return kDone;
  if (!done && done.error().code() != Errc::not_found) return report(workspace, done.error());
  if (!done) {
    return report(workspace, Error{Errc::not_found,
                                   "fusermount3 is not installed: install the package fuse3"});
  }
  std::string words = done->error_output;
  while (words.ends_with('\n')) words.pop_back();
  const bool busy = words.find("busy") != std::string::npos;
  Error error{busy ? Errc::conflict : Errc::io,
              "unmounting " + command.folder + ": " + words +
                  (busy ? "; leave the folder, or use --lazy (`fuser -m " + command.folder +
                              "` shows who is in it)"
                        : "")};
  return report(workspace, error);
}

}  // namespace berth::cli
