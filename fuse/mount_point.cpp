// SPDX-License-Identifier: Apache-2.0
#include "mount_point.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include <fmt/format.h>

#include "berth/base/fd.hpp"
#include "berth/base/log.hpp"
#include "berth/base/process.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::fuse {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kType = "fuse.berth";
constexpr std::string_view kReadAheadKib = "2048\n";
constexpr int kMostLayers = 16;  // dead mounts on top of each other

/// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto octal = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && i + 3 < text.size() && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      out +=
          static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::optional<Mounted> mounted_at(const fs::path& mount_point) {
  const auto mountinfo = read_file("/proc/self/mountinfo", 64 * 1024 * 1024);
  if (!mountinfo) return std::nullopt;
  return find_mounted(*mountinfo, mount_point.native());
}

/// fusermount3 is setuid: it lets users unmount what is theirs.
Result<void> unmount_as_user(const fs::path& mount_point, bool lazy) {
  const auto done =
      run_process({.argv = {"fusermount3", lazy ? "-uz" : "-u", "--", mount_point.string()},
                   .inherit_stderr = false},
                  Context{}.with_timeout(std::chrono::seconds(10)));
  if (!done && done.error().code() == Errc::not_found) {
    return Error(Errc::unsupported, "fusermount3 is not installed: install the package fuse3");
  }
  if (!done) return done.error();
  if (done->exit_code == 0) return {};
  const bool busy = done->error_output.find("busy") != std::string::npos;
  return Error(
      busy ? Errc::conflict : Errc::io,
      fmt::format("unmounting {}: {}", mount_point.string(), text::trim(done->error_output)));
}

Result<void> take_down(const fs::path& mount_point, bool lazy) {
  if (::geteuid() != 0) return unmount_as_user(mount_point, lazy);
  if (::umount2(mount_point.c_str(), UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0) return {};
  const Error error = Error::from_errno(errno, "unmounting " + mount_point.string());
  return errno == EBUSY ? Error(Errc::conflict, error.message()) : error;
}

/// What the daemon of a dead mount left. Not of other file systems: they may have a daemon that
/// comes back.
Result<void> clean_dead(const fs::path& mount_point) {
  for (int layer = 0; layer < kMostLayers; ++layer) {
    // Not stat(2): the kernel may remember the answer of the server that is gone.
    struct statvfs ignored{};
    if (::statvfs(mount_point.c_str(), &ignored) == 0) return {};
    if (errno != ENOTCONN && errno != ECONNABORTED) return {};
    const auto mounted = mounted_at(mount_point);
    if (!mounted || mounted->type != kType) {
      return Error(Errc::conflict,
                   fmt::format("{} belongs to a file system of type {} whose server is gone; "
                               "unmount it first: fusermount3 -uz {}",
                               mount_point.string(), mounted ? mounted->type : "unknown",
                               mount_point.string()));
    }
    log::info(fmt::format("{}: unmounting what a berthfs that was killed left behind",
                          mount_point.string()));
    TRY(take_down(mount_point, true));
  }
  return {};
}

/// The path without links in what leads to it: what mountinfo shows. The mount point itself may be
/// dead, so it is not looked at.
Result<fs::path> without_links(const fs::path& mount_point) {
  std::error_code error;
  const fs::path parent = fs::canonical(mount_point.parent_path(), error);
  if (error) {
    return Error::from_errno(error.value(), "mount point " + mount_point.string());
  }
  return parent / mount_point.filename();
}

}  // namespace

std::optional<Mounted> find_mounted(std::string_view mountinfo, std::string_view mount_point) {
  std::optional<Mounted> found;
  for (const std::string_view line : text::split(mountinfo, '\n')) {
    // 36 35 98:0 /root /mount/point rw,noatime shared:1 - fuse.berth source rw
    const auto words = text::split(line, ' ');
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 6 || words.end() - dash < 3) continue;
    if (unescape(words[4]) != mount_point) continue;
    found = Mounted{.device = std::string(words[2]),
                    .mount_point = unescape(words[4]),
                    .type = unescape(dash[1]),
                    .source = unescape(dash[2])};
  }
  return found;
}

Result<Mounted> find_mount_of_berth(const fs::path& mount_point) {
  const Error none(Errc::not_found, fmt::format("{} is no mount of berth", mount_point.string()));
  std::error_code error;
  // The whole path first, for a link that leads to the mount; of a dead mount it fails.
  fs::path real = fs::canonical(mount_point, error);
  if (error) {
    auto parent = without_links(mount_point);
    if (!parent) return none;
    real = *std::move(parent);
  }
  auto mounted = mounted_at(real);
  if (!mounted || mounted->type != kType) return none;
  return *std::move(mounted);
}

Result<void> unmount(const fs::path& mount_point, bool lazy) {
  const Mounted mounted = TRY(find_mount_of_berth(mount_point));
  auto done = take_down(mounted.mount_point, lazy);
  if (!done && done.error().code() == Errc::conflict) {
    return Error(
        Errc::conflict,
        fmt::format("{}; leave the folder, or use --lazy (`fuser -m {}` shows who is in it)",
                    done.error().message(), mounted.mount_point));
  }
  return done;
}

Result<fs::path> prepare_mount_point(const fs::path& asked) {
  fs::path mount_point = TRY(without_links(asked));
  TRY(clean_dead(mount_point));
  struct stat status{};
  if (::stat(mount_point.c_str(), &status) != 0) {
    if (errno == ENOENT) {
      return Error(Errc::not_found, fmt::format("the mount point {} does not exist: mkdir {}",
                                                mount_point.string(), mount_point.string()));
    }
    return Error::from_errno(errno, "mount point " + mount_point.string());
  }
  if (!S_ISDIR(status.st_mode)) {
    return Error(Errc::invalid_argument,
                 fmt::format("the mount point {} is not a folder", mount_point.string()));
  }
  std::error_code error;
  mount_point = fs::canonical(mount_point, error);
  if (error) return Error::from_errno(error.value(), "mount point " + asked.string());
  const auto mounted = mounted_at(mount_point);
  if (mounted && mounted->type == kType) {
    return Error(Errc::conflict,
                 fmt::format("{} shows {} already; unmount it first: berth unmount {}",
                             mount_point.string(), mounted->source, mount_point.string()));
  }
  return mount_point;
}

bool is_within(const fs::path& path, const fs::path& folder) {
  std::error_code error;
  fs::path inner = fs::weakly_canonical(fs::absolute(path), error);
  if (error) inner = fs::absolute(path).lexically_normal();
  fs::path outer = fs::weakly_canonical(fs::absolute(folder), error);
  if (error) outer = fs::absolute(folder).lexically_normal();
  const auto [end_of_outer, ignored] =
      std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return end_of_outer == outer.end();
}

void raise_read_ahead(const fs::path& mount_point) {
  struct stat status{};
  if (::stat(mount_point.c_str(), &status) != 0) return;
  const std::string file =
      fmt::format("/sys/class/bdi/{}:{}/read_ahead_kb", major(status.st_dev), minor(status.st_dev));
  const auto fd = open_at(AT_FDCWD, file, O_WRONLY);
  if (!fd || !write_all(fd->get(), as_bytes(kReadAheadKib))) {
    log::debug("read-ahead stays at the kernel's default: only root may raise it");
  }
}

}  // namespace berth::fuse
