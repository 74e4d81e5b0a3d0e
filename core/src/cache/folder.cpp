// SPDX-License-Identifier: Apache-2.0
#include "cache/folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::cache {
namespace {

// One line, so that another berth, older or newer, can say what it found.
constexpr const char* kFormatFile = "berth-cache";
constexpr std::string_view kFormat = "berth cache format 1\n";

constexpr std::size_t kIndexLimit = 4 << 20;
// Those of the OCI layout are first: the rest is berth's own.
constexpr std::string_view kSubfolders[] = {
    "blobs", "blobs/sha256", "blobs/sha384", "blobs/sha512", "ingest", "layers", "remembered"};

Result<std::string> kernel_boot_id() {
  std::string id = TRY(read_file("/proc/sys/kernel/random/boot_id", 256));
  return std::string(text::trim(id));
}

/// What a process that ended while its cache was being removed may have put back: an index that
/// lists nothing that is there, and folders with nothing in them.
bool is_left_over(int root, const std::string& name) {
  if (name.starts_with(".berth")) return true;
  struct stat info{};
  if (::fstatat(root, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT;
  if (S_ISREG(info.st_mode)) {
    const auto says = [&](const char* file, std::string_view word) {
      if (name != file) return false;
      const auto text = read_file_at(root, name, kIndexLimit);
      return text && text->find(word) != std::string::npos;
    };
    return says("oci-layout", "\"imageLayoutVersion\"") || says("index.json", "\"manifests\"");
  }
  return S_ISDIR(info.st_mode) && std::ranges::find(kSubfolders, name) != std::end(kSubfolders) &&
         names_in(root, name).empty();
}

bool is_read_only_errno(int error) { return error == EROFS || error == EACCES || error == EPERM; }

Result<void> check_owner(const std::filesystem::path& path, int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) {
    return Error::from_errno(errno, fmt::format("looking at the cache {}", path.string()));
  }
  if (info.st_uid != ::geteuid()) {
    return Error(Errc::denied,
                 fmt::format("the cache {} belongs to another user ({}); set BERTH_CACHE to a "
                             "folder of your own",
                             path.string(), info.st_uid));
  }
  if ((info.st_mode & 077) != 0) {
    return Error(Errc::denied, fmt::format("the cache {} is open to other users (mode {:04o}); "
                                           "close it with: chmod 700 {}",
                                           path.string(), info.st_mode & 07777, path.string()));
  }
  return {};
}

/// That no folder can be made is neither "not found" nor "not allowed" for who asked a registry.
Error unusable(const std::filesystem::path& path, const Error& error) {
  const Errc code = error.code();
  const bool is_ours = code == Errc::not_found || code == Errc::denied || code == Errc::conflict ||
                       code == Errc::invalid_argument;
  return Error(is_ours ? Errc::io : code,
               fmt::format("the cache {} cannot be used: {}; set BERTH_CACHE to a folder that you "
                           "may write to",
                           path.string(), error.message()))
      .with_sys_errno(error.sys_errno());
}

}  // namespace

Folder::Folder(std::filesystem::path path, Fd root, std::string boot_id, Clock& clock)
    : path_(std::move(path)),
      root_(std::move(root)),
      boot_id_(std::move(boot_id)),
      clock_(&clock) {}

Result<Folder> Folder::open(const std::filesystem::path& path, std::string boot_id, Clock& clock) {
  if (path.empty()) {
    return Error(Errc::invalid_argument, "opening the cache: no folder was named");
  }
  if (auto made = make_directories(path, 0700); !made) {
    return unusable(path, std::move(made).error());
  }
  auto opened = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  if (!opened) return unusable(path, std::move(opened).error());
  Fd root = std::move(*opened);
  TRY(check_owner(path, root.get()));
  if (boot_id.empty()) boot_id = TRY(kernel_boot_id());
  Folder folder(path, std::move(root), std::move(boot_id), clock);
  TRY(folder.check_format());
  TRY(folder.make_subfolders());
  return folder;
}

Result<void> Folder::check_format() {
  auto found = read_file_at(root_.get(), kFormatFile, 4096);
  if (!found && found.error().code() == Errc::not_found) {
    TRY(create_format());
    found = read_file_at(root_.get(), kFormatFile, 4096);
  }
  if (!found) return std::move(found).error().with_context("reading the cache's format");
  if (*found == kFormat) return {};
  return Error(Errc::corrupt,
               fmt::format("the cache {} has a format that this berth does not know (\"{}\"); "
                           "remove the folder, or set BERTH_CACHE to another one",
                           path_.string(), text::escape_for_terminal(text::trim(*found))));
}

bool Folder::is_gone() const noexcept {
  struct stat info{};
  if (::fstat(root_.get(), &info) != 0 || info.st_nlink == 0) return true;
  return ::faccessat(root_.get(), kFormatFile, F_OK, 0) != 0 && errno == ENOENT;
}

bool Folder::is_open_to_others() const noexcept {
  struct stat info{};
  return ::fstat(root_.get(), &info) == 0 && (info.st_mode & 077) != 0;
}

Result<void> Folder::create_format() {
  // Somebody's own files must not end up below an eviction: only a folder without any becomes a
  // cache.
  for (const std::string& name : names_in(root_.get(), ".")) {
    if (is_left_over(root_.get(), name)) continue;
    // Another process was faster, and has filled the folder since this one looked.
    if (::faccessat(root_.get(), kFormatFile, F_OK, 0) == 0) return {};
    return Error(Errc::corrupt,
                 fmt::format("the folder {} holds files and is no berth cache; set BERTH_CACHE to "
                             "an empty folder",
                             path_.string()));
  }
  // Written aside and linked, so that nobody ever reads half a line.
  const std::string temporary = fmt::format(".berth{}", temporary_name("format"));
  Fd file = TRY(open_at(root_.get(), temporary, O_WRONLY | O_CREAT | O_EXCL));
  auto written = write_all(file.get(), as_bytes(kFormat));
  // There already: another process was first, with the same line; or first, and cleaned up.
  if (written && ::linkat(root_.get(), temporary.c_str(), root_.get(), kFormatFile, 0) != 0 &&
      errno != EEXIST && errno != ENOENT) {
    written =
        Error::from_errno(errno, fmt::format("writing {} in {}", kFormatFile, path_.string()));
  }
  ::unlinkat(root_.get(), temporary.c_str(), 0);
  return written;
}

Result<void> Folder::make_subfolders() {
  for (const std::string_view name : kSubfolders) {
    if (::mkdirat(root_.get(), name.data(), 0700) == 0 || errno == EEXIST) continue;
    if (!is_read_only_errno(errno)) {
      return Error::from_errno(errno, fmt::format("making {}/{}", path_.string(), name));
    }
  }
  // Asking access(2) beforehand would lie for root and for mounts: making a file tells.
  const std::string probe = fmt::format("ingest/{}", temporary_name("probe"));
  auto file = open_at(root_.get(), probe, O_WRONLY | O_CREAT | O_EXCL);
  if (file) {
    ::unlinkat(root_.get(), probe.c_str(), 0);
  } else {
    read_only_ = is_read_only_errno(file.error().sys_errno());
  }
  return {};
}

std::string blob_name(const Digest& digest) {
  return fmt::format("blobs/{}/{}", digest.algorithm_name(), digest.hex());
}

std::string ingest_name(const Digest& digest) {
  return fmt::format("ingest/{}-{}", digest.algorithm_name(), digest.hex());
}

std::string temporary_name(std::string_view purpose) {
  static std::atomic<std::uint64_t> counter{0};
  struct timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return fmt::format(".{}-{}-{}-{}", purpose, ::getpid(),
                     static_cast<long long>(now.tv_sec) * 1'000'000'000LL + now.tv_nsec,
                     counter.fetch_add(1, std::memory_order_relaxed));
}

std::vector<std::string> names_in(int dir_fd, const std::string& name) {
  std::vector<std::string> names;
  const int fd = ::openat(dir_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return names;
  DIR* dir = ::fdopendir(fd);
  if (dir == nullptr) {
    ::close(fd);
    return names;
  }
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view child = entry->d_name;
    if (child != "." && child != "..") names.emplace_back(child);
  }
  ::closedir(dir);
  return names;
}

void remove_tree(int dir_fd, const std::string& name) noexcept {
  if (::unlinkat(dir_fd, name.c_str(), 0) == 0 || errno == ENOENT) return;
  for (const std::string& child : names_in(dir_fd, name)) {
    remove_tree(dir_fd, name + "/" + child);
  }
  ::unlinkat(dir_fd, name.c_str(), AT_REMOVEDIR);
}

}  // namespace berth::cache
