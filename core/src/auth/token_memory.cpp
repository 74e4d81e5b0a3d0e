// SPDX-License-Identifier: Apache-2.0
#include "auth/token_memory.hpp"

#include "berth/base/try.hpp"

namespace berth::auth {
namespace {

constexpr std::chrono::minutes kMargin{5};

std::string key_of(const TokenRequest& request) {
  std::string key = request.tenant_id;
  for (const std::string& scope : request.scopes) key += " " + scope;
  return key;
}

}  // namespace

std::optional<AccessToken> TokenMemory::held(const std::string& key, bool to_the_end) const {
  const auto now = clock_.now();
  const MutexLock lock(mutex_);
  const auto found = tokens_.find(key);
  if (found == tokens_.end() || found->second.expires_on <= now) return std::nullopt;
  const AccessToken& token = found->second;
  if (to_the_end) return token;
  if (token.refresh_on && *token.refresh_on <= now) return std::nullopt;
  if (token.expires_on - now <= kMargin) return std::nullopt;
  return token;
}

Result<AccessToken> TokenMemory::get(const TokenRequest& request, const Context& context,
                                     const Fetch& fetch) {
  const std::string key = key_of(request);
  if (auto token = held(key, false)) return *std::move(token);
  return flights_.run(key, context, [&]() -> Result<AccessToken> {
    // Who was a little late finds what the one before has fetched.
    if (auto token = held(key, false)) return *std::move(token);
    Result<AccessToken> fetched = fetch();
    if (!fetched) {
      if (!fetched.error().is_retryable()) return fetched;
      if (auto token = held(key, true)) return *std::move(token);
      return fetched;
    }
    const MutexLock lock(mutex_);
    tokens_.insert_or_assign(key, *fetched);
    return fetched;
  });
}

}  // namespace berth::auth
