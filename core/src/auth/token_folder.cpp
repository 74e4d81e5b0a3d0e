// SPDX-License-Identifier: Apache-2.0
#include "auth/token_folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/crypto/crypto.hpp"
#include "berth/json/value.hpp"
#include "berth/json/writer.hpp"

namespace berth::auth {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kKeySize = 32;
constexpr std::size_t kFileLimit = 256 * 1024;
constexpr const char* kKeyName = "key";
constexpr std::string_view kTemporary = ".new-";
/// A writer takes microseconds: what is older was left behind by a process that was killed.
constexpr seconds kTemporaryLife{60};
constexpr seconds kPruneInterval{60};

/// Owned by this user, and nothing for anybody else.
bool is_private(const struct stat& status) {
  return status.st_uid == ::geteuid() && (status.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

Result<Fd> open_folder(const std::filesystem::path& path) {
  TRY(make_directories(path, 0700));
  Fd folder = TRY(open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  struct stat status{};
  if (::fstat(folder.get(), &status) != 0) return Error::from_errno(errno, path.native());
  if (!is_private(status)) {
    return Error(Errc::denied,
                 fmt::format("{} must be this user's and nobody else's: chmod 700 it, or name "
                             "another folder in BERTH_TOKENS",
                             path.native()))
        .local();
  }
  return folder;
}

/// The text of a private regular file; any doubt about it is an error.
Result<std::string> read_private(int folder, const std::string& name) {
  const Fd fd = TRY(open_at(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return Error::from_errno(errno, name);
  if (!S_ISREG(status.st_mode) || !is_private(status)) {
    return Error(Errc::denied, fmt::format("{} is open to others, or no file", name)).local();
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > kFileLimit) return Error(Errc::too_large, name);
  std::string text(size, '\0');
  TRY(pread_exact(fd.get(), std::as_writable_bytes(std::span(text.data(), text.size())), 0));
  return text;
}

/// A temporary file with its content. relative to the folder's descriptor: the path may lead
/// elsewhere by now.
Result<std::string> write_temporary(int folder, std::string_view content,
                                    Clock::SystemTime modified) {
  const Bytes random = TRY(crypto::random_bytes(8));
  std::string name = std::string(kTemporary) + text::to_hex(random);
  const Fd fd = TRY(open_at(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  const auto since = modified.time_since_epoch();
  const auto whole = std::chrono::floor<seconds>(since);
  const timespec time{.tv_sec = whole.count(),
                      .tv_nsec = std::chrono::nanoseconds(since - whole).count()};
  const timespec times[2] = {time, time};
  Result<void> written = pwrite_all(fd.get(), as_bytes(content), 0);
  if (written && ::futimens(fd.get(), times) == 0) return name;
  const int failure = errno;
  ::unlinkat(folder, name.c_str(), 0);
  if (!written) return std::move(written).error();
  return Error::from_errno(failure, name);
}

/// The first process to link its key in wins; every other reads that one.
Result<Secret> load_or_make_key(int folder) {
  Result<std::string> key = read_private(folder, kKeyName);
  if (!key && key.error().code() == Errc::not_found) {
    const Bytes random = TRY(crypto::random_bytes(kKeySize));
    const std::string name =
        TRY(write_temporary(folder, as_text(random), std::chrono::system_clock::now()));
    const bool linked = ::linkat(folder, name.c_str(), folder, kKeyName, 0) == 0 || errno == EEXIST;
    const int failure = errno;
    ::unlinkat(folder, name.c_str(), 0);
    if (!linked) return Error::from_errno(failure, "making the key of the token folder");
    key = read_private(folder, kKeyName);
  }
  if (!key) return std::move(key).error();
  if (key->size() != kKeySize) return Error(Errc::corrupt, "the token folder's key is damaged");
  return Secret(*std::move(key));
}

std::int64_t to_ms(Clock::SystemTime time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}
Clock::SystemTime from_ms(std::int64_t ms) { return Clock::SystemTime(milliseconds(ms)); }

std::string to_text(const StoredToken& stored) {
  json::Node node = json::Node::object();
  node.set("version", 1);
  node.set("scopes", stored.scopes.text());
  node.set("refresh_at", to_ms(stored.token.refresh_at));
  node.set("expires", to_ms(stored.token.expires));
  node.set("token", stored.token.value.reveal());
  return node.to_text();
}

Result<StoredToken> from_text(std::string_view text) {
  const json::Document document = TRY(json::Document::parse(text, {.bytes = kFileLimit}));
  const json::Value root = document.root();
  const auto refresh_at = root.find("refresh_at");
  const auto expires = root.find("expires");
  StoredToken stored{.scopes = Scopes::parse(TRY(root.string_or_empty("scopes"))), .token = {}};
  stored.token.value = Secret(TRY(root.string_or_empty("token")));
  if (!refresh_at || !expires || stored.token.value.empty()) {
    return Error(Errc::corrupt, "not a token of berth");
  }
  stored.token.refresh_at = from_ms(TRY(refresh_at->as_int()));
  stored.token.expires = from_ms(TRY(expires->as_int()));
  return stored;
}

std::string file_name(const std::string& identity, const std::string& scopes_hash) {
  return identity + "-" + scopes_hash;
}

bool is_token_name(std::string_view name) {
  return name.find('-') != std::string_view::npos && name.front() != '.' &&
         !name.ends_with(".lock");
}

}  // namespace

Result<std::unique_ptr<TokenFolder>> TokenFolder::open(const std::filesystem::path& path) {
  Fd folder = TRY(open_folder(path));
  Result<Secret> key = load_or_make_key(folder.get());
  if (!key) return Error(std::move(key).error()).with_context(path.native());
  return std::unique_ptr<TokenFolder>(new TokenFolder(std::move(folder), *std::move(key)));
}

std::optional<StoredToken> TokenFolder::read(const std::string& name) const {
  const Result<std::string> text = read_private(folder_.get(), name);
  if (!text) return std::nullopt;
  Result<StoredToken> stored = from_text(*text);
  if (!stored) return std::nullopt;
  return *std::move(stored);
}

void TokenFolder::for_each_of(const std::string& prefix,
                              const std::function<bool(const std::string&)>& visit) const {
  Result<Fd> again = open_at(folder_.get(), ".", O_RDONLY | O_DIRECTORY);
  if (!again) return;
  DIR* entries = ::fdopendir(again->get());
  if (entries == nullptr) return;
  (void)again->release();  // closedir closes it
  while (const dirent* entry = ::readdir(entries)) {
    const std::string name = entry->d_name;
    if (name.starts_with(prefix) && !visit(name)) break;
  }
  ::closedir(entries);
}

std::optional<StoredToken> TokenFolder::find(const std::string& identity,
                                             const std::string& scopes_hash) const {
  return read(file_name(identity, scopes_hash));
}

Result<void> TokenFolder::save(const std::string& identity, const std::string& scopes_hash,
                               const StoredToken& token, Clock::SystemTime now) {
  prune(now);
  const std::string temporary =
      TRY(write_temporary(folder_.get(), to_text(token), token.token.expires));
  const std::string name = file_name(identity, scopes_hash);
  if (::renameat(folder_.get(), temporary.c_str(), folder_.get(), name.c_str()) == 0) return {};
  const int failure = errno;
  ::unlinkat(folder_.get(), temporary.c_str(), 0);
  return Error::from_errno(failure, "keeping a token");
}

void TokenFolder::remove(const std::string& identity, const std::string& scopes_hash,
                         const Secret& value) {
  const std::string name = file_name(identity, scopes_hash);
  const std::optional<StoredToken> stored = read(name);
  if (stored && stored->token.value == value) ::unlinkat(folder_.get(), name.c_str(), 0);
}

/// Removes what expired, by its mtime and so without reading it.
void TokenFolder::prune(Clock::SystemTime now) {
  {
    const MutexLock lock(mutex_);
    if (now - pruned_ < kPruneInterval && now >= pruned_) return;
    pruned_ = now;
  }
  const auto now_s = std::chrono::system_clock::to_time_t(now);
  for_each_of("", [&](const std::string& name) {
    const bool temporary = name.starts_with(kTemporary);
    if (!temporary && !is_token_name(name)) return true;
    struct stat status{};
    if (::fstatat(folder_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return true;
    const auto life = temporary ? kTemporaryLife.count() : 0;
    const auto made = temporary ? status.st_ctim.tv_sec : status.st_mtim.tv_sec;
    if (made + life < now_s) ::unlinkat(folder_.get(), name.c_str(), 0);
    return true;
  });
}

/// Unlinked while it is held, so that no lock files pile up: who opened it before that finds that
/// the name leads elsewhere and opens it again.
TokenFolder::Lock::~Lock() {
  if (fd_) ::unlinkat(folder_->folder_.get(), name_.c_str(), 0);
}

std::optional<TokenFolder::Lock> TokenFolder::try_lock(const std::string& identity,
                                                       const std::string& scopes_hash,
                                                       bool& broken) const {
  const std::string name = file_name(identity, scopes_hash) + ".lock";
  Result<Fd> fd = open_at(folder_.get(), name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  broken = !fd;
  if (!fd) return std::nullopt;
  if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
    broken = errno != EWOULDBLOCK && errno != EINTR;
    return std::nullopt;
  }
  struct stat held{};
  struct stat named{};
  if (::fstat(fd->get(), &held) != 0 ||
      ::fstatat(folder_.get(), name.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0 ||
      held.st_ino != named.st_ino) {
    return std::nullopt;  // its holder removed it meanwhile: the caller tries again
  }
  return Lock(*this, name, *std::move(fd));
}

}  // namespace berth::auth
