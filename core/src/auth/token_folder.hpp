// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "berth/base/fd.hpp"
#include "berth/base/sync.hpp"

#include "auth/token.hpp"

namespace berth::auth {

/// The folder that processes of one user share tokens through. It and every file in it is the
/// user's alone, which is checked after opening and without following links. Thread safe.
///
///   key                        32 random bytes: file names are keyed hashes, so that names tell
///                              nothing of hosts, users and passwords
///   <identity>-<scopes>        one token, JSON; its mtime is its expiry
///   <identity>-<scopes>.lock   held by the process that fetches it
class TokenFolder {
 public:
  /// Made where it is missing. Errc::denied when it, or its key, is open to others.
  static Result<std::unique_ptr<TokenFolder>> open(const std::filesystem::path& path);

  const Secret& key() const noexcept { return key_; }

  /// The token of this identity for just these scopes. Tokens for more are not looked for: that
  /// would read every file of the folder for each token that is missing.
  std::optional<StoredToken> find(const std::string& identity,
                                  const std::string& scopes_hash) const;
  Result<void> save(const std::string& identity, const std::string& scopes_hash,
                    const StoredToken& token, Clock::SystemTime now);
  /// Removes that token, unless another process put a newer one in its place.
  void remove(const std::string& identity, const std::string& scopes_hash, const Secret& value);

  /// Held until destroyed.
  class Lock {
   public:
    Lock(const TokenFolder& folder, std::string name, Fd fd)
        : folder_(&folder),
          name_(std::move(name)),
          fd_(std::move(fd)) {}
    Lock(Lock&& other) noexcept = default;
    Lock& operator=(Lock&& other) noexcept {
      std::swap(folder_, other.folder_);
      std::swap(name_, other.name_);
      std::swap(fd_, other.fd_);
      return *this;
    }
    ~Lock();

   private:
    const TokenFolder* folder_;
    std::string name_;
    Fd fd_;
  };
  /// nullopt when another process holds it (or it cannot be had at all: then `broken` is set).
  std::optional<Lock> try_lock(const std::string& identity, const std::string& scopes_hash,
                               bool& broken) const;

 private:
  TokenFolder(Fd folder, Secret key)
      : folder_(std::move(folder)),
        key_(std::move(key)) {}

  std::optional<StoredToken> read(const std::string& name) const;
  void for_each_of(const std::string& prefix,
                   const std::function<bool(const std::string& name)>& visit) const;
  void prune(Clock::SystemTime now);

  Fd folder_;
  Secret key_;
  Mutex mutex_;
  Clock::SystemTime pruned_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::auth
