// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "berth/credential/router.hpp"

namespace berth::credential {

/// Refresh tokens of registries that an Entra ID identity is exchanged for: kept in the tokens
/// folder, renewed at half their life, fetched by one process while the others wait. What there is
/// serves on while nothing newer can be had, and then nobody waits long.
class EntraTokens {
 public:
  /// `options` must outlive it.
  explicit EntraTokens(const RouterOptions& options);

  using Found = Result<std::optional<RefreshToken>>;
  /// The youngest of `held`, which somebody logged in with, of what is kept, and of what is
  /// fetched. nullopt when no identity is available.
  Found get(const std::string& registry, std::optional<RefreshToken> held, const Context& context,
            std::vector<Tried>* tried) const;

  /// The folder that held one.
  std::optional<std::string> erase(const std::string& registry) const;
  std::vector<std::string> registries() const;

 private:
  Result<TokenFiles> open() const;
  bool is_young(const std::optional<RefreshToken>& token) const;
  Found renew(TokenFiles& files, const std::string& registry,
              const std::optional<RefreshToken>& best, const Context& context,
              std::vector<Tried>* tried) const;
  Found fetch(const std::string& registry, const std::optional<RefreshToken>& best,
              const Context& context, std::vector<Tried>* tried, TokenFiles* files) const;

  const RouterOptions& options_;
  const std::string identity_;
};

}  // namespace berth::credential
