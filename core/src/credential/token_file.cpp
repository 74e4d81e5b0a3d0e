// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/token_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "berth/base/atomic_file.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/tool_state.hpp"

#include "credential/json_text.hpp"
#include "credential/private_file.hpp"

namespace berth::credential {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::size_t kFileLimit = 64 * 1024;
constexpr std::string_view kPrefix = "acr-";
constexpr std::string_view kFailed = ".failed";
constexpr std::chrono::minutes kLongestFailure{10};
constexpr int kVersion = 1;

/// FNV-1a. It tells files of one registry apart and protects nothing: what is found is compared.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::int64_t to_ms(Clock::SystemTime time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

/// Whatever a file says: between 1970 and 2200, where sums of times do not overflow.
Clock::SystemTime time_of(const json& root, const char* name) {
  constexpr std::int64_t kMost = 7'258'118'400'000;
  const auto found = root.find(name);
  if (found == root.end() || !found->is_number_integer()) return {};
  const bool is_past_all = found->is_number_unsigned() &&
                           found->get<std::uint64_t>() > static_cast<std::uint64_t>(kMost);
  const std::int64_t ms = is_past_all ? kMost : found->get<std::int64_t>();
  return Clock::SystemTime(milliseconds(std::clamp<std::int64_t>(ms, 0, kMost)));
}

std::optional<KeptToken> read_kept(const std::filesystem::path& file) {
  const auto text = read_private_file(file, kFileLimit);
  if (!text || !*text) return std::nullopt;
  auto kept = parse_kept_token(**text);
  if (!kept || kept->version != kVersion || kept->registry.empty()) return std::nullopt;
  return kept;
}

/// Who prunes the folder goes by the time of a file, and need not read it.
void set_time(int fd, Clock::SystemTime time) {
  const timespec stamp{.tv_sec = std::chrono::system_clock::to_time_t(time), .tv_nsec = 0};
  const timespec stamps[2] = {stamp, stamp};
  ::futimens(fd, stamps);
}

}  // namespace

std::optional<KeptToken> parse_kept_token(std::string_view text) {
  const Result<json> root = parse_json(text, "a token");
  if (!root || !root->is_object()) return std::nullopt;
  const auto version = root->find("version");
  const bool has_version = version != root->end() && version->is_number_integer();
  KeptToken kept{.version = has_version && *version == kVersion ? kVersion : 0,
                 .registry = string_member(*root, "registry"),
                 .identity = string_member(*root, "identity"),
                 .token = {.value = Secret(string_member(*root, "token")),
                           .issued = time_of(*root, "issued"),
                           .expires = time_of(*root, "expires")}};
  if (kept.token.value.empty()) return std::nullopt;
  return kept;
}

std::optional<std::filesystem::path> tokens_folder(const Environment& environment) {
  if (const auto named = environment("BERTH_TOKENS")) return *named;
  if (const auto runtime = environment("XDG_RUNTIME_DIR");
      runtime && std::filesystem::path(*runtime).is_absolute()) {
    return std::filesystem::path(*runtime) / "berth";
  }
  if (::geteuid() == 0) return "/run/berth";
  return std::nullopt;
}

std::string identity_of(const Environment& environment) {
  constexpr std::array kVariables = {"AZURE_TOKEN_CREDENTIALS",
                                     "AZURE_TENANT_ID",
                                     "AZURE_CLIENT_ID",
                                     "AZURE_CLIENT_CERTIFICATE_PATH",
                                     "AZURE_USERNAME",
                                     "AZURE_AUTHORITY_HOST",
                                     "AZURE_FEDERATED_TOKEN_FILE",
                                     "AZURE_POD_IDENTITY_AUTHORITY_HOST",
                                     "IDENTITY_ENDPOINT",
                                     "IMDS_ENDPOINT",
                                     "MSI_ENDPOINT"};
  constexpr std::array kTools = {std::pair("az", kAzState), std::pair("azd", kAzdState),
                                 std::pair("pwsh", kPwshState)};
  std::string identity;
  for (const char* name : kVariables) {
    if (const auto value = environment(name)) identity += fmt::format("{}={}\n", name, *value);
  }
  // Of a secret only whether there is one: it chooses the kind of credential.
  for (const char* name : {"AZURE_CLIENT_SECRET", "AZURE_PASSWORD", "IDENTITY_HEADER"}) {
    if (environment(name)) identity += fmt::format("{}\n", name);
  }
  for (const auto& [tool, state] : kTools) {
    if (const std::string mark = mark_of(state, environment); !mark.empty()) {
      identity += fmt::format("{}={}\n", tool, mark);
    }
  }
  return identity;
}

Result<TokenFiles> TokenFiles::open(std::filesystem::path folder) {
  TRY(make_directories(folder, 0700));
  const Fd fd = TRY(open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return Error::from_errno(errno, folder.native());
  if (status.st_uid != ::geteuid() || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Error(Errc::denied,
                 fmt::format("{} must be this user's and nobody else's: chmod 700 it, or name "
                             "another folder in BERTH_TOKENS",
                             folder.native()));
  }
  return TokenFiles(std::move(folder));
}

std::filesystem::path TokenFiles::path_of(const std::string& registry,
                                          const std::string& identity) const {
  return folder_ /
         fmt::format("{}{}-{:016x}", kPrefix, text::percent_encode(registry), hash_of(identity));
}

std::optional<RefreshToken> TokenFiles::find(const std::string& registry,
                                             const std::string& identity,
                                             Clock::SystemTime now) const {
  auto stored = read_kept(path_of(registry, identity));
  if (!stored || stored->registry != registry || stored->identity != identity) return std::nullopt;
  if (stored->token.expires <= now) return std::nullopt;
  return std::move(stored->token);
}

Result<void> TokenFiles::save(const std::string& registry, const std::string& identity,
                              const RefreshToken& token) {
  nlohmann::ordered_json root;
  root["version"] = kVersion;
  root["registry"] = registry;
  root["identity"] = identity;
  root["issued"] = to_ms(token.issued);
  root["expires"] = to_ms(token.expires);
  root["token"] = token.value.reveal();
  AtomicFile file = TRY(AtomicFile::create(path_of(registry, identity), 0600));
  const std::string text = root.dump(-1, ' ', false, json::error_handler_t::replace);
  TRY(file.write(as_bytes(text)));
  set_time(file.fd(), token.expires);
  ::unlink(failure_of(registry, identity).c_str());
  return file.commit();
}

std::filesystem::path TokenFiles::failure_of(const std::string& registry,
                                             const std::string& identity) const {
  return path_of(registry, identity).native() + std::string(kFailed);
}

/// The time of the file is all that it says: who prunes the folder takes it away by that, too.
void TokenFiles::remember_failure(const std::string& registry, const std::string& identity,
                                  Clock::SystemTime until) {
  const auto file =
      open_at(AT_FDCWD, failure_of(registry, identity), O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
  if (file) set_time(file->get(), until);
}

bool TokenFiles::is_failing(const std::string& registry, const std::string& identity,
                            Clock::SystemTime now) const {
  struct stat status{};
  if (::lstat(failure_of(registry, identity).c_str(), &status) != 0) return false;
  const auto until = std::chrono::system_clock::from_time_t(status.st_mtim.tv_sec);
  // A clock that was set back must not make it last.
  return now < until && until - now < kLongestFailure;
}

void TokenFiles::erase(const std::string& registry, const std::string& identity) {
  ::unlink(path_of(registry, identity).c_str());
  ::unlink(failure_of(registry, identity).c_str());
}

std::vector<std::string> TokenFiles::registries(const std::string& identity,
                                                Clock::SystemTime now) const {
  std::vector<std::string> names;
  DIR* entries = ::opendir(folder_.c_str());
  if (entries == nullptr) return names;
  while (const dirent* entry = ::readdir(entries)) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(kPrefix) || name.ends_with(".lock") || name.ends_with(kFailed)) continue;
    const auto stored = read_kept(folder_ / name);
    if (stored && stored->identity == identity && stored->token.expires > now) {
      names.push_back(stored->registry);
    }
  }
  ::closedir(entries);
  return names;
}

Result<Fd> TokenFiles::lock(const std::string& registry, const std::string& identity,
                            const Context& context) const {
  return lock_file(path_of(registry, identity).native() + ".lock", context);
}

}  // namespace berth::credential
