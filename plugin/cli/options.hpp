// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "berth/base/error.hpp"

#include "io.hpp"

namespace berth::cli {

/// What every command understands.
struct CommonOptions {
  bool json = false;
  int verbose = 0;
  bool offline = false;
  bool plain_http = false;
  bool no_progress = false;
  std::string auth_file;
  std::string docker_config;
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
  std::string key_password_file;
  std::string username;
  bool password_stdin = false;
  std::string platform;
  std::string cache;
  unsigned timeout = 0;  ///< seconds; 0: none
};

struct LsCommand {
  std::vector<std::string> places;
  bool long_format = false;
  bool recursive = false;
  bool all = false;
  bool one_column = false;
  std::string sort = "name";  ///< name updated size
  bool reverse = false;
};
struct TreeCommand {
  std::vector<std::string> places;
  unsigned depth = 3;
};
struct CatCommand {
  std::vector<std::string> places;
};
struct StatCommand {
  std::vector<std::string> places;
};
struct SetCommand {
  std::string place;
  std::vector<std::string> changes;  ///< "can_delete=false"
};
struct DeletedCommand {
  std::string verb;  ///< ls restore
  std::vector<std::string> places;
  std::string tag;  ///< restore of a digest: with this tag
  bool force = false;
};
struct PurgeCommand {
  std::string place;
  std::vector<std::string> filters;
  std::string ago;
  int keep = 0;
  bool untagged = false;
  bool untagged_only = false;
  bool include_locked = false;
  bool trust_lists = false;
  int repository_page_size = 100;
  double filter_timeout_seconds = 60;
  bool dry_run = false;
  bool yes = false;
  int jobs = 4;
};
struct CpCommand {
  std::vector<std::string> sources;
  std::string target;
  bool recursive = false;
  bool force = false;
  bool referrers = false;
  int jobs = 4;
};
struct TagCommand {
  std::string place;
  std::vector<std::string> names;  ///< tags, or places of the same registry
};
struct UntagCommand {
  std::vector<std::string> places;
};
struct RmCommand {
  std::vector<std::string> places;
  bool recursive = false;
  bool force = false;
};
struct MountCommand {
  std::string place;  ///< "": every registry
  std::string folder;
  std::vector<std::string> mount_options;
  bool foreground = false;
};
struct UnmountCommand {
  std::string folder;
  bool lazy = false;
};
struct RefreshCommand {
  std::string target;
};
struct CacheCommand {
  std::string verb;  ///< status verify prune limit
  std::string size;
};
struct DoctorCommand {
  std::string registry;
  bool credentials_only = false;  ///< `doctor credentials REGISTRY`
};
struct LoginCommand {
  std::string registry;
  std::string store;  ///< "": as the configuration says
};
struct LogoutCommand {
  std::string registry;
};
struct WhoamiCommand {
  std::string registry;
};
struct TokenCommand {
  std::string registry;  ///< or REGISTRY/REPOSITORY
  std::vector<std::string> scopes;
  bool header = false;
  bool identity = false;
  bool helper = false;  ///< hidden: an Azure registry's refresh token, for the credential helpers
  bool workload_stdin = false;  ///< hidden, with `helper`
};
struct SetupCommand {
  std::string tool;  ///< docker podman kubelet
  std::vector<std::string> registries;
  std::string file;
  bool undo = false;
  bool dry_run = false;
  bool yes = false;
};
struct CompletionCommand {
  std::string shell;
};
/// Hidden: what the completion scripts ask. Answers from what is remembered; no request.
struct CompleteCommand {
  std::string word;
  std::string of;  ///< the command whose options are meant, where the word begins one
};
struct VersionCommand {};

using Command =
    std::variant<LsCommand, TreeCommand, CatCommand, StatCommand, SetCommand, DeletedCommand,
                 PurgeCommand, CpCommand, TagCommand, UntagCommand, RmCommand, MountCommand,
                 UnmountCommand, RefreshCommand, CacheCommand, DoctorCommand, LoginCommand,
                 LogoutCommand, WhoamiCommand, TokenCommand, SetupCommand, CompletionCommand,
                 CompleteCommand, VersionCommand>;

struct Invocation {
  CommonOptions common;
  Command command;
};

/// Reads the command line. Without an invocation: print `text` (help) to out and exit 0, or `error`
/// to err and exit 2.
struct ParseResult {
  std::optional<Invocation> invocation = std::nullopt;
  std::string text{};
  std::optional<Error> error = std::nullopt;
  int exit_status = 0;
};
ParseResult parse_command_line(const std::vector<std::string>& arguments,
                               const std::string& version);

/// The long options that a command takes ("--filter"), its own and those of every command, sorted;
/// none of what is no command.
std::vector<std::string> options_of(const std::string& command);

}  // namespace berth::cli
