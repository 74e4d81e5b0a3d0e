// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "berth/oci/platform.hpp"
#include "berth/tree/tree.hpp"

namespace berth::fuse {

/// What a mount shows: the first argument of berthfs.
struct Target {
  tree::Root::Kind kind = tree::Root::Kind::all;
  std::string registry;
  std::string repository;
  std::string reference;         ///< manifest: a tag or a digest
  std::filesystem::path layout;  ///< layout, and manifest of one: an absolute path
  std::string text = "berth";    ///< as it was named: what mount(8) and df(1) show
};

/// "", "all": every registry; R, R/repository, R/repository:tag, R/repository@digest; oci:DIR,
/// oci:DIR:TAG, oci:DIR@DIGEST.
/// Errc::invalid_argument, saying what is wrong; a user or password in it is refused unseen.
Result<Target> parse_target(std::string_view text);

struct Options {
  enum class Action : std::uint8_t {
    mount,
    unmount,
    refresh,
    help,
    version
  } action = Action::mount;
  Target target;
  std::filesystem::path mount_point;  ///< absolute, without "." and ".."; may not exist

  bool foreground = false;
  bool debug = false;
  bool lazy = false;  ///< unmount: from sight now, for good when nobody uses it
  bool fake = false;  ///< mount -f: everything but the mount

  std::chrono::seconds tag_ttl{60};
  int head_jobs = 16;
  bool list_all = false;
  std::optional<oci::Platform> platform;
  bool verify_full = false;
  bool passthrough = true;  ///< where the kernel has it and lets us
  bool offline = false;
  std::chrono::seconds timeout{60};

  std::optional<std::filesystem::path> auth_file, docker_config_dir;
  std::filesystem::path cache;          ///< "": the usual one
  std::uint64_t cache_limit = 0;        ///< 0: the usual one
  std::vector<std::string> plain_http;  ///< hosts
  std::string ca_file, cert_file, key_file, key_password_file;
  std::filesystem::path log_file;

  bool allow_other = false;
  bool writable = false;                    ///< -o rw
  std::vector<std::string> kernel_options;  ///< noexec and the like
};

/// berthfs [-f] [-d] [-o LIST]... [TARGET] MOUNTPOINT, or as mount(8) calls mount.TYPE:
/// mount.berth TARGET MOUNTPOINT [-sfnv] [-N ns] [-t type] [-o LIST] (`as_mount_helper`: -f then
/// means "fake", and "rw" is what mount(8) says where nobody said anything: there it is
/// `writable` that allows changes).
/// Errc::invalid_argument: a sentence for the user, who called it wrong.
Result<Options> parse_options(std::span<const std::string> arguments, bool as_mount_helper);

/// The text of --help.
std::string help_text();

}  // namespace berth::fuse
