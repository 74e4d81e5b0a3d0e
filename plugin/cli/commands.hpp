// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.hpp"
#include "workspace.hpp"

namespace berth::cli {

/// Each gives the exit status. What went wrong was printed; with several operands the rest was
/// still done, and the status is that of the worst.
int run_ls(const LsCommand& command, Workspace& workspace);
int run_tree(const TreeCommand& command, Workspace& workspace);
int run_cat(const CatCommand& command, Workspace& workspace);
int run_stat(const StatCommand& command, Workspace& workspace);
int run_set(const SetCommand& command, Workspace& workspace);
int run_deleted(const DeletedCommand& command, Workspace& workspace);
int run_purge(const PurgeCommand& command, Workspace& workspace);
int run_cp(const CpCommand& command, Workspace& workspace);
int run_tag(const TagCommand& command, Workspace& workspace);
int run_untag(const UntagCommand& command, Workspace& workspace);
int run_rm(const RmCommand& command, Workspace& workspace);
int run_mount(const MountCommand& command, Workspace& workspace);
int run_unmount(const UnmountCommand& command, Workspace& workspace);
int run_refresh(const RefreshCommand& command, Workspace& workspace);
int run_cache(const CacheCommand& command, Workspace& workspace);
int run_doctor(const DoctorCommand& command, Workspace& workspace);
int run_login(const LoginCommand& command, Workspace& workspace);
int run_logout(const LogoutCommand& command, Workspace& workspace);
int run_whoami(const WhoamiCommand& command, Workspace& workspace);
int run_token(const TokenCommand& command, Workspace& workspace);
int run_setup(const SetupCommand& command, Workspace& workspace);
int run_completion(const CompletionCommand& command, Workspace& workspace);
int run_complete(const CompleteCommand& command, Workspace& workspace);
int run_version(const VersionCommand& command, Workspace& workspace);

/// Prints the sentence, or with `json` the object, and gives the status.
int print_error(Io& io, bool json, const Error& error);
int report(Workspace& workspace, const Error& error);
/// After an interruption, to people: the cache has the bytes that came.
void say_what_came_is_kept(Workspace& workspace);
/// With --json, the object {"VERB": WHAT} of a command that else prints nothing.
void print_done(Workspace& workspace, const char* verb, const std::string& what);
/// The worse of two statuses: any failure before success, and the first kind of failure wins.
int worse(int a, int b) noexcept;

/// The whole program: `arguments` without the program's name.
int run(const std::vector<std::string>& arguments, Io& io, const Context& context);

}  // namespace berth::cli
