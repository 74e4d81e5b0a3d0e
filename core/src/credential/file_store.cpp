// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "berth/base/atomic_file.hpp"
#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/store.hpp"

#include "credential/auth_file.hpp"
#include "credential/json_text.hpp"
#include "credential/private_file.hpp"
#include "credential/registry_key.hpp"

namespace berth::credential {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kFileLimit = 4 * 1024 * 1024;

/// Files are written in microseconds: who waits longer waits for a process that is stopped.
constexpr std::chrono::seconds kLockTime{10};

std::string key_of(const AuthEntry& entry) {
  const Result<ServerKey> key = parse_server_key(entry.key);
  return key ? key->text() : entry.key;
}

/// docker's form is "user:password", and old versions of it padded with NULs: what it would tell
/// apart otherwise is refused, as no registry could be shown it either (RFC 7617 section 2).
Result<void> check_pair(const Credential& credential) {
  if (credential.username.find(':') != std::string::npos) {
    return Error(Errc::invalid_argument,
                 "the user name has a colon: HTTP cannot carry it, so no registry can have it");
  }
  if (credential.password.reveal().ends_with('\0')) {
    return Error(Errc::invalid_argument, "the secret ends with a NUL, which a file does not keep");
  }
  return {};
}

class FileStore : public Store {
 public:
  FileStore(std::filesystem::path file, std::string shown)
      : file_(std::move(file)),
        shown_(std::move(shown)) {}

  Result<std::optional<Credential>> get(const ServerKey& key, const Context&) override {
    const AuthFile file = TRY(load());
    const std::string wanted = key.text();
    for (const AuthEntry& entry : file.auths) {
      if (key_of(entry) == wanted) return to_credential(entry, shown_);
    }
    return std::optional<Credential>();
  }

  Result<void> put(const ServerKey& key, const Credential& credential,
                   const Context& context) override {
    ordered_json entry = ordered_json::object();
    if (!credential.identity_token.empty()) {
      entry["identitytoken"] = credential.identity_token.reveal();
    } else {
      TRY(check_pair(credential));
      const std::string pair = credential.username + ":" + credential.password.reveal();
      entry["auth"] = text::to_base64(as_bytes(pair));
    }
    return change(key, &entry, context);
  }

  Result<void> erase(const ServerKey& key, const Context& context) override {
    // A home that cannot be written needs no writing where there is nothing to erase.
    const AuthFile file = TRY(load());
    for (const AuthEntry& entry : file.auths) {
      if (key_of(entry) == key.text()) return change(key, nullptr, context);
    }
    return {};
  }

  Result<std::map<std::string, std::string>> list(const Context&) override {
    const AuthFile file = TRY(load());
    std::map<std::string, std::string> entries;
    for (const AuthEntry& entry : file.auths) {
      const auto credential = to_credential(entry, shown_);
      if (!credential) {
        // One that is damaged does not hide the others.
        log::warning(credential.error().describe());
      } else if (*credential) {
        entries[key_of(entry)] = user_of(**credential);
      }
    }
    return entries;
  }

  std::string name() const override { return shown_; }

 private:
  static std::string user_of(const Credential& credential) {
    return credential.identity_token.empty() ? credential.username : "<token>";
  }

  Result<AuthFile> load() const {
    const auto text = TRY(read_private_file(file_, kFileLimit));
    if (!text) return AuthFile{};
    return parse_auth_file(*text, AuthFileForm::config, shown_);
  }

  /// Puts an entry in the place of the one of that name, or removes it (nullptr).
  Result<void> change(const ServerKey& key, const ordered_json* entry, const Context& context) {
    TRY(make_directories(file_.parent_path(), 0700));
    const Fd lock = TRY(lock_file(file_.native() + ".lock", context.with_timeout(kLockTime)));
    const auto text = TRY(read_private_file(file_, kFileLimit));
    ordered_json root = ordered_json::object();
    if (text && !text::trim(*text).empty()) root = TRY(parse_ordered_json(*text, shown_));
    if (!root.is_object()) {
      return Error(Errc::corrupt, fmt::format("{} must hold a JSON object", shown_));
    }
    ordered_json& auths = root["auths"];
    if (!auths.is_object()) auths = ordered_json::object();
    for (auto it = auths.begin(); it != auths.end();) {
      const bool is_it = key_of({.key = it.key()}) == key.text();
      if (is_it) {
        it = auths.erase(it);
      } else {
        ++it;
      }
    }
    if (entry != nullptr) auths[key.text()] = *entry;
    return write_file_atomically(file_, root.dump(2) + "\n", 0600, true);
  }

  std::filesystem::path file_;
  std::string shown_;
};

}  // namespace

std::unique_ptr<Store> make_file_store(std::filesystem::path file, const Environment& environment) {
  std::string shown = short_name(file, environment);
  return std::make_unique<FileStore>(std::move(file), std::move(shown));
}

}  // namespace berth::credential
