// SPDX-License-Identifier: Apache-2.0
#include "cache/journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

#include "cache/append_file.hpp"
#include "cache/fault_point.hpp"
#include "cache/shared_file.hpp"

namespace berth::cache {
namespace {

constexpr const char* kName = "journal";
constexpr std::size_t kReadLimit = 64 * 1024 * 1024;
// Up to here each blob is synced by itself; beyond, one syncfs(2) is cheaper than so many waits,
// though it also waits for what other programs wrote.
constexpr std::size_t kSingleSyncs = 32;
constexpr off_t kLong = 128 * 1024;  // about a thousand blobs

// A killed sync() leaves one that it renamed: its lines still count.
std::vector<std::string> journal_files(const Folder& folder) {
  std::vector<std::string> files;
  for (std::string& name : names_in(folder.root(), ".")) {
    if (name.starts_with(kName)) files.push_back(std::move(name));
  }
  return files;
}

Result<void> sync_file(int dir_fd, const std::string& name, int flags) {
  auto fd = open_at(dir_fd, name, flags);
  if (!fd) {
    // Evicted since, or never linked by a process that was killed.
    if (fd.error().code() == Errc::not_found) return {};
    return std::move(fd).error();
  }
  if (::fsync(fd->get()) == 0 || errno == EINVAL) return {};
  return Error::from_errno(errno, fmt::format("syncing {} of the cache", name));
}

}  // namespace

Result<std::uint64_t> Journal::add(const Digest& digest) {
  state_.distrust_from(file_system_now());
  const std::uint64_t grown = TRY(append_lines(
      folder_.root(), kName, fmt::format("{} {}\n", folder_.boot_id(), digest.text())));
  trust(digest);
  return grown;
}

void Journal::trust(const Digest& digest) {
  MutexLock lock(mutex_);
  trusted_.insert(digest.text());
}

bool Journal::trusts(const Digest& digest, const struct stat& info) {
  const auto sealed = sealed_at(info);
  if (!sealed) return false;  // somebody wrote to it, whatever lines say
  const bool synced = state_.trusts(folder_, *sealed);
  MutexLock lock(mutex_);
  if (trusted_.contains(digest.text())) return true;
  // Lines of another boot are read once: no more of them come.
  if (loaded_ && synced) return !suspect_.contains(digest.text());
  load();
  if (trusted_.contains(digest.text())) return true;
  return synced && !suspect_.contains(digest.text());
}

bool Journal::is_long() const {
  struct stat info{};
  return ::fstatat(folder_.root(), kName, &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_size > kLong;
}

bool Journal::empty() const { return journal_files(folder_).empty(); }

void Journal::load() {
  loaded_ = true;
  for (const std::string& name : journal_files(folder_)) load_file(name);
}

void Journal::load_file(const std::string& name) {
  struct stat info{};
  if (::fstatat(folder_.root(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return;
  Seen& seen = seen_[name];
  if (seen.inode == info.st_ino && seen.bytes == static_cast<std::uint64_t>(info.st_size)) return;
  const auto text = read_file_at(folder_.root(), name, kReadLimit);
  if (!text) return;
  for_each_line(*text, [this](std::string_view line) BERTH_NO_THREAD_SAFETY_ANALYSIS {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return;
    const bool this_boot = line.substr(0, space) == folder_.boot_id();
    (this_boot ? trusted_ : suspect_).emplace(line.substr(space + 1));
  });
  seen = {info.st_ino, text->size()};
}

Result<void> Journal::sync() {
  // Lines of other boots alone are no news: they wait for who hashes.
  if (read(journal_files(folder_)).here.empty()) return {};
  // Read before anything else: what is linked from now on belongs to the next sync point.
  const std::int64_t now = file_system_now();
  ::renameat(folder_.root(), kName, folder_.root(), (kName + temporary_name("sync")).c_str());
  fault_point("journal.renamed");
  std::vector<std::string> taken;
  for (std::string& name : journal_files(folder_)) {
    if (name != kName) taken.push_back(std::move(name));
  }
  const Named named = read(taken);
  TRY(flush(named.here));
  std::string kept;
  for (const auto& [digest, boot] : named.elsewhere) kept += fmt::format("{} {}\n", boot, digest);
  // Reserved by whoever wrote them first, and given back below.
  if (!kept.empty()) state_.data().used.fetch_add(TRY(append_lines(folder_.root(), kName, kept)));
  fault_point("journal.flushed");
  state_.set_synced(folder_, now);
  std::uint64_t freed = 0;
  for (const std::string& name : taken) {
    struct stat info{};
    if (::fstatat(folder_.root(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (::unlinkat(folder_.root(), name.c_str(), 0) == 0) freed += allocated(info);
  }
  state_.release(freed);
  MutexLock lock(mutex_);
  seen_.clear();
  return {};
}

Journal::Named Journal::read(const std::vector<std::string>& names) const {
  Named named;
  for (const std::string& name : names) {
    const auto text = read_file_at(folder_.root(), name, kReadLimit);
    if (!text) continue;
    for_each_line(*text, [&](std::string_view line) {
      const std::size_t space = line.find(' ');
      if (space == std::string_view::npos) return;
      std::string digest(line.substr(space + 1));
      if (line.substr(0, space) == folder_.boot_id()) {
        named.here.insert(std::move(digest));
      } else {
        named.elsewhere.emplace(std::move(digest), line.substr(0, space));
      }
    });
  }
  std::erase_if(named.elsewhere, [&](const auto& entry) {
    const auto digest = Digest::parse(entry.first);
    return named.here.contains(entry.first) || !digest ||
           ::faccessat(folder_.root(), blob_name(*digest).c_str(), F_OK, 0) != 0;
  });
  return named;
}

Result<void> Journal::flush(const std::set<std::string>& digests) {
  if (digests.size() > kSingleSyncs) {
    if (::syncfs(folder_.root()) == 0) return {};
    return Error::from_errno(errno, "syncing the cache's file system");
  }
  for (const std::string& text : digests) {
    const auto digest = Digest::parse(text);
    if (digest) TRY(sync_file(folder_.root(), blob_name(*digest), O_RDONLY | O_NOFOLLOW));
  }
  for (const char* folder : {"blobs/sha256", "blobs/sha384", "blobs/sha512"}) {
    TRY(sync_file(folder_.root(), folder, O_RDONLY | O_DIRECTORY));
  }
  return {};
}

}  // namespace berth::cache
