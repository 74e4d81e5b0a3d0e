// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/base/clock.hpp"
#include "berth/base/context.hpp"
#include "berth/base/environment.hpp"
#include "berth/base/fd.hpp"
#include "berth/base/secret.hpp"

namespace berth::credential {

/// Where tokens are kept between processes: $BERTH_TOKENS, else $XDG_RUNTIME_DIR/berth, else root's
/// /run/berth, else nowhere.
std::optional<std::filesystem::path> tokens_folder(const Environment& environment);

/// A registry's refresh token that an Entra ID identity was exchanged for.
struct RefreshToken {
  Secret value;
  Clock::SystemTime issued;
  Clock::SystemTime expires;

  /// Less than half of its life is left: a new one is worth asking for.
  bool is_aging(Clock::SystemTime now) const { return now - issued > expires - now; }
};

/// A token as it is written into its file. `berth token --helper` prints the same without a
/// version, a registry and an identity.
struct KeptToken {
  int version = 0;  ///< 0: none, or one of another berth
  std::string registry{};
  std::string identity{};
  RefreshToken token{};
};

/// nullopt for what holds no token. Times are between 1970 and 2200, whatever the text says.
std::optional<KeptToken> parse_kept_token(std::string_view text);

/// Which Entra ID identity this environment stands for, as text without a secret: what the
/// variables of azure-identity name, and the accounts that az, azd and pwsh are logged in with. Two
/// environments with the same text get the same tokens.
std::string identity_of(const Environment& environment);

/// Refresh tokens of registries in the tokens folder, so that the credential helper, which links no
/// network and no cryptography, can answer from them. One file a registry and identity:
///
///   acr-<registry, percent-encoded>-<hash of the identity>
///     {"version":1,"registry":...,"identity":...,"issued":ms,"expires":ms,"token":...}
///
/// mode 0600, mtime the expiry. The folder is 0700 and so tells nobody else which registries are
/// used; the hash only tells files apart, and the identity inside is compared whole. Not thread
/// safe.
class TokenFiles {
 public:
  /// Made where it is missing. Errc::denied when it is open to others.
  static Result<TokenFiles> open(std::filesystem::path folder);

  /// nullopt when there is none of this identity, or it has expired.
  std::optional<RefreshToken> find(const std::string& registry, const std::string& identity,
                                   Clock::SystemTime now) const;
  Result<void> save(const std::string& registry, const std::string& identity,
                    const RefreshToken& token);
  void erase(const std::string& registry, const std::string& identity);

  /// That renewing one failed is known to every process until then, or until one is saved.
  void remember_failure(const std::string& registry, const std::string& identity,
                        Clock::SystemTime until);
  bool is_failing(const std::string& registry, const std::string& identity,
                  Clock::SystemTime now) const;

  /// Registries of this identity that have one.
  std::vector<std::string> registries(const std::string& identity, Clock::SystemTime now) const;

  const std::filesystem::path& folder() const { return folder_; }

  /// Held by the process that fetches: others wait for it, and then look again.
  Result<Fd> lock(const std::string& registry, const std::string& identity,
                  const Context& context) const;

 private:
  explicit TokenFiles(std::filesystem::path folder)
      : folder_(std::move(folder)) {}
  std::filesystem::path path_of(const std::string& registry, const std::string& identity) const;
  std::filesystem::path failure_of(const std::string& registry, const std::string& identity) const;

  std::filesystem::path folder_;
};

}  // namespace berth::credential
