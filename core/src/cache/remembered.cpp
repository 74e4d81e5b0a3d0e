// SPDX-License-Identifier: Apache-2.0
#include "berth/cache/remembered.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"

#include "cache/append_file.hpp"
#include "cache/cache_impl.hpp"
#include "cache/remembered_lines.hpp"
#include "cache/shared_file.hpp"

namespace berth::cache {
namespace {

constexpr std::string_view kList = ".list";
constexpr std::string_view kRecords = ".records";
constexpr std::size_t kReadLimit = 256 * 1024 * 1024;
// Repositories whose records are kept in memory; then all are forgotten there and read again.
constexpr std::size_t kLoadedMost = 512;

/// A file as this process last read it.
struct Version {
  ino_t inode = 0;
  std::int64_t size = -1;
  std::int64_t modified = 0;
  friend bool operator==(const Version&, const Version&) = default;
};

std::optional<Version> version_of(int root, const std::string& path) {
  struct stat info{};
  if (::fstatat(root, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return {};
  return Version{info.st_ino, info.st_size,
                 info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec};
}

class FileRemembered final : public Remembered {
 public:
  explicit FileRemembered(std::function<std::shared_ptr<Store>()> store)
      : store_(std::move(store)) {}

  std::optional<RememberedList> list(const std::string& registry,
                                     const std::string& repository) override;
  void set_list(const std::string& registry, const std::string& repository,
                const std::vector<std::string>& names) override;
  std::vector<std::string> repositories(const std::string& registry) override;
  std::vector<std::string> registries() override;
  std::optional<RememberedTag> tag(const std::string& registry, const std::string& repository,
                                   const std::string& tag) override;
  std::vector<std::pair<std::string, RememberedTag>> tags(const std::string& registry,
                                                          const std::string& repository) override;
  RememberedTag set_tag(const std::string& registry, const std::string& repository,
                        const std::string& tag, RememberedTag value) override;
  void set_tags(const std::string& registry, const std::string& repository,
                const std::vector<std::pair<std::string, RememberedTag>>& tags) override;
  void forget_tag(const std::string& registry, const std::string& repository,
                  const std::string& tag) override;
  void distrust(const std::string& registry, const std::string& repository) override;
  Clock::SystemTime trusted_since(const std::string& registry,
                                  const std::string& repository) override;
  std::optional<SeenDigest> seen(const std::string& registry, const std::string& repository,
                                 const Digest& digest) override;
  void set_seen(const std::string& registry, const std::string& repository, const Digest& digest,
                std::uint64_t size, const std::string& media_type) override;
  void forget_seen(const std::string& registry, const std::string& repository,
                   const Digest& digest) override;
  void forget_repository(const std::string& registry, const std::string& repository) override;

 private:
  struct Loaded {
    Version version;
    std::int64_t consumed = 0;
    RepositoryRecords records;
  };
  struct LoadedList {
    Version version;
    RememberedList list;
  };

  /// The records, with what other processes appended since. Empty where there is no file.
  Loaded& load(Store& store, const std::string& path) BERTH_REQUIRES(mutex_);
  /// What is to be appended, told from what is there; "": nothing.
  using Lines = std::function<std::string(const RepositoryRecords& records)>;
  void write(Store& store, const std::string& path, const Lines& lines) BERTH_EXCLUDES(mutex_);
  Result<void> append(Store& store, const std::string& path, const std::string& lines)
      BERTH_REQUIRES(writing_);
  void compact(Store& store, const std::string& path) BERTH_REQUIRES(writing_);

  std::function<std::shared_ptr<Store>()> store_;
  /// One writes after the other, however long the one waits for room: what was learned later stands
  /// later. Outside of the other lock, which is never held over a wait: readers must not.
  Mutex writing_;
  Mutex mutex_;
  std::unordered_map<std::string, Loaded> loaded_ BERTH_GUARDED_BY(mutex_);
  std::unordered_map<std::string, LoadedList> lists_ BERTH_GUARDED_BY(mutex_);
};

/// Keeps what stays true of a tag that leads where it led; false: it leads elsewhere, or is new.
bool renew(const RepositoryRecords& records, const std::string& tag, RememberedTag& value) {
  const auto known = records.tags.find(tag);
  if (known == records.tags.end() || known->second.digest != value.digest) return false;
  value.first_seen = known->second.first_seen;
  if (!value.properties) value.properties = known->second.properties;
  if (value.media_type.empty()) {
    value.size = known->second.size;
    value.media_type = known->second.media_type;
  }
  return true;
}

/// "remembered/<registry>/<repository><suffix>"; "" when a name is too long to be a file's.
std::string path_of(const std::string& registry, const std::string& repository,
                    std::string_view suffix) {
  const auto folder = file_name_of(registry, "");
  const auto file = file_name_of(repository, suffix);
  if (!folder || !file) return {};
  return fmt::format("remembered/{}/{}", *folder, *file);
}

Result<void> make_folder(Store& store, const std::string& path) {
  const std::string folder = path.substr(0, path.rfind('/'));
  if (::faccessat(store.root(), folder.c_str(), F_OK, 0) == 0) return {};
  Room room = TRY(Room::take(store, kSlack));
  if (::mkdirat(store.root(), folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error::from_errno(errno, "making a folder for what is remembered");
  }
  struct stat info{};
  if (::fstatat(store.root(), folder.c_str(), &info, 0) == 0) room.spend(allocated(info));
  return {};
}

void forgive(const Result<void>& result) {
  if (!result) log::debug("cache: not remembered: " + result.error().describe());
}

FileRemembered::Loaded& FileRemembered::load(Store& store, const std::string& path) {
  if (loaded_.size() > kLoadedMost && !loaded_.contains(path)) loaded_.clear();
  Loaded& loaded = loaded_[path];
  const auto version = version_of(store.root(), path);
  if (!version) {
    loaded = {};
    return loaded;
  }
  if (*version == loaded.version) return loaded;
  const bool grown = version->inode == loaded.version.inode && version->size >= loaded.consumed;
  if (!grown) loaded = {};
  auto fd = open_at(store.root(), path, O_RDONLY | O_NOFOLLOW);
  const auto length = static_cast<std::size_t>(version->size - loaded.consumed);
  if (!fd || length > kReadLimit) return loaded;
  std::string text(length, '\0');
  if (!pread_exact(fd->get(), std::as_writable_bytes(std::span(text)),
                   static_cast<std::uint64_t>(loaded.consumed))) {
    return loaded;
  }
  loaded.consumed += static_cast<std::int64_t>(
      for_each_line(text, [&](std::string_view line) { loaded.records.apply(line); }));
  loaded.version = *version;
  return loaded;
}

void FileRemembered::write(Store& store, const std::string& path, const Lines& lines) {
  MutexLock turn(writing_);
  std::string text;
  {
    MutexLock lock(mutex_);
    text = lines(load(store, path).records);
  }
  if (text.empty()) return;
  forgive(append(store, path, text));
  compact(store, path);
}

Result<void> FileRemembered::append(Store& store, const std::string& path,
                                    const std::string& lines) {
  TRY(store.check_writable());
  TRY(make_folder(store, path));
  Room room = TRY(Room::take(store, lines.size() + kSlack));
  room.spend(TRY(append_lines(store.root(), path, lines)));
  return {};
}

void FileRemembered::compact(Store& store, const std::string& path) {
  std::int64_t size = 0;
  {
    MutexLock lock(mutex_);
    const Loaded& loaded = load(store, path);
    if (!loaded.records.wants_compaction()) return;
    size = loaded.consumed;
  }
  forgive([&]() -> Result<void> {
    Room room = TRY(Room::take(store, static_cast<std::uint64_t>(size) + kSlack));
    std::string text;
    {
      MutexLock lock(mutex_);
      text = load(store, path).records.text();
    }
    // What another process appends between the reading and the rename is lost: a request, no more.
    return replace_file(store, room, path, text);
  }());
  MutexLock lock(mutex_);
  loaded_.erase(path);
}

std::optional<RememberedList> FileRemembered::list(const std::string& registry,
                                                   const std::string& repository) {
  const auto store = store_();
  const std::string path = path_of(registry, repository, kList);
  const auto version = path.empty() ? std::nullopt : version_of(store->root(), path);
  if (!version) return {};
  MutexLock lock(mutex_);
  if (const auto known = lists_.find(path); known != lists_.end()) {
    if (known->second.version == *version) return known->second.list;
    lists_.erase(known);
  }
  const auto text = read_file_at(store->root(), path, kReadLimit);
  if (!text) return {};
  auto list = parse_list(*text);
  if (!list) return {};
  if (lists_.size() > kLoadedMost) lists_.clear();
  lists_[path] = {*version, *list};
  return list;
}

void FileRemembered::set_list(const std::string& registry, const std::string& repository,
                              const std::vector<std::string>& names) {
  const auto store = store_();
  const std::string path = path_of(registry, repository, kList);
  if (path.empty()) return;
  forgive([&]() -> Result<void> {
    TRY(store->check_writable());
    TRY(make_folder(*store, path));
    return replace_file(*store, path, list_text(names, store->clock().now()));
  }());
  MutexLock lock(mutex_);
  lists_.erase(path);
}

std::vector<std::string> FileRemembered::registries() {
  std::vector<std::string> names;
  for (const std::string& file : names_in(store_()->root(), "remembered")) {
    if (auto name = name_of_file(file, "")) names.push_back(std::move(*name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> FileRemembered::repositories(const std::string& registry) {
  const auto folder = file_name_of(registry, "");
  if (!folder) return {};
  std::set<std::string> names;
  for (const std::string& file : names_in(store_()->root(), "remembered/" + *folder)) {
    for (const std::string_view suffix : {kList, kRecords}) {
      auto name = name_of_file(file, suffix);
      if (name && !name->empty()) names.insert(std::move(*name));
    }
  }
  return {names.begin(), names.end()};
}

std::optional<RememberedTag> FileRemembered::tag(const std::string& registry,
                                                 const std::string& repository,
                                                 const std::string& tag) {
  const auto store = store_();
  const std::string path = path_of(registry, repository, kRecords);
  if (path.empty()) return {};
  MutexLock lock(mutex_);
  const auto& tags = load(*store, path).records.tags;
  const auto found = tags.find(tag);
  if (found == tags.end()) return {};
  return found->second;
}

std::vector<std::pair<std::string, RememberedTag>> FileRemembered::tags(
    const std::string& registry, const std::string& repository) {
  const auto store = store_();
  const std::string path = path_of(registry, repository, kRecords);
  if (path.empty()) return {};
  MutexLock lock(mutex_);
  const auto& tags = load(*store, path).records.tags;
  return {tags.begin(), tags.end()};
}

RememberedTag FileRemembered::set_tag(const std::string& registry, const std::string& repository,
                                      const std::string& tag, RememberedTag value) {
  const auto store = store_();
  const std::string path = path_of(registry, repository, kRecords);
  if (value.checked == Clock::SystemTime{}) value.checked = store->clock().now();
  value.first_seen = value.checked;
  if (path.empty()) return value;
  write(*store, path, [&](const RepositoryRecords& records) {
    if (!renew(records, tag, value)) store->index_stale = true;
    return tag_line(tag, value);
  });
  return value;
}

void FileRemembered::set_tags(const std::string& registry, const std::string& repository,
                              const std::vector<std::pair<std::string, RememberedTag>>& tags) {
  const auto store = store_();
  const std::string path = path_of(registry, repository, kRecords);
  if (path.empty() || tags.empty()) return;
  const auto now = store->clock().now();
  write(*store, path, [&](const RepositoryRecords& records) {
    std::string lines;
    for (const auto& [tag, given] : tags) {
      RememberedTag value = given;
      if (value.checked == Clock::SystemTime{}) value.checked = now;
      value.first_seen = value.checked;
      if (!renew(records, tag, value)) store->index_stale = true;
      lines += tag_line(tag, value);
    }
    return lines;
  });
}

void FileRemembered::forget_tag(const std::string& registry, const std::string& repository,
                                const std::string& tag) {
  const auto store = store_();
  const std::string path = path_of(registry, repository, kRecords);
  if (path.empty()) return;
  write(*store, path, [&](const RepositoryRecords& records) {
    if (!records.tags.contains(tag)) return std::string();
    store->index_stale = true;
    return forget_line(tag);
  });
}

void FileRemembered::distrust(const std::string& registry, const std::string& repository) {
  const auto store = store_();
  const std::string path = path_of(registry, repository, kRecords);
  if (path.empty()) return;
  write(*store, path,
        [&](const RepositoryRecords&) { return distrust_line(store->clock().now()); });
}

Clock::SystemTime FileRemembered::trusted_since(const std::string& registry,
                                                const std::string& repository) {
  const auto store = store_();
  const std::string path = path_of(registry, repository, kRecords);
  if (path.empty()) return Clock::SystemTime::min();
  MutexLock lock(mutex_);
  return load(*store, path).records.trusted_since;
}

std::optional<SeenDigest> FileRemembered::seen(const std::string& registry,
                                               const std::string& repository,
                                               const Digest& digest) {
  const auto store = store_();
  const std::string path = path_of(registry, repository, kRecords);
  if (path.empty()) return {};
  MutexLock lock(mutex_);
  const auto& seen = load(*store, path).records.seen;
  const auto found = seen.find(digest);
  if (found == seen.end()) return {};
  return found->second;
}

void FileRemembered::set_seen(const std::string& registry, const std::string& repository,
                              const Digest& digest, std::uint64_t size,
                              const std::string& media_type) {
  const auto store = store_();
  const std::string path = path_of(registry, repository, kRecords);
  if (path.empty()) return;
  // Nothing new: most of the time. Then it waits for no other writer either.
  const auto is_known = [&](const SeenDigest& known) {
    return known.size == size && (media_type.empty() || known.media_type == media_type);
  };
  if (const auto known = this->seen(registry, repository, digest); known && is_known(*known))
    return;
  write(*store, path, [&](const RepositoryRecords& records) {
    SeenDigest value{size, media_type, store->clock().now()};
    if (const auto known = records.seen.find(digest); known != records.seen.end()) {
      if (is_known(known->second)) return std::string();
      value.first_seen = known->second.first_seen;
      if (media_type.empty()) value.media_type = known->second.media_type;
    }
    return seen_line(digest, value);
  });
}

void FileRemembered::forget_seen(const std::string& registry, const std::string& repository,
                                 const Digest& digest) {
  const auto store = store_();
  const std::string path = path_of(registry, repository, kRecords);
  if (path.empty()) return;
  write(*store, path, [&](const RepositoryRecords& records) {
    return records.seen.contains(digest) ? forget_seen_line(digest) : std::string();
  });
}

void FileRemembered::forget_repository(const std::string& registry, const std::string& repository) {
  const auto store = store_();
  const std::string path = path_of(registry, repository, kRecords);
  if (path.empty()) return;
  store->index_stale = true;
  write(*store, path, [&](const RepositoryRecords&) {
    return forget_all_line() + distrust_line(store->clock().now());
  });
}

}  // namespace

std::unique_ptr<Remembered> make_remembered(std::function<std::shared_ptr<Store>()> store) {
  return std::make_unique<FileRemembered>(std::move(store));
}

}  // namespace berth::cache
