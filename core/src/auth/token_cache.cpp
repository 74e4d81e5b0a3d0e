// SPDX-License-Identifier: Apache-2.0
#include "auth/token_cache.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/on_exit.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/token_file.hpp"
#include "berth/crypto/crypto.hpp"

namespace berth::auth {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPoll{5};
constexpr milliseconds kLastPoll{100};
constexpr std::size_t kIdentityBytes = 16;
constexpr std::size_t kScopesBytes = 8;
constexpr std::size_t kMaxExtras = 4096;
/// Of one identity, alive at the same time: one a repository. Tokens have 1 to 3 KiB.
constexpr std::size_t kMaxTokens = 1024;

std::unique_ptr<TokenFolder> open_or_say(const std::optional<std::filesystem::path>& path) {
  if (!path) return nullptr;
  Result<std::unique_ptr<TokenFolder>> folder = TokenFolder::open(*path);
  if (folder) return *std::move(folder);
  log::warning(fmt::format("tokens are kept in memory only: {}", folder.error().describe()));
  return nullptr;
}

Secret process_key() {
  const Result<Bytes> random = crypto::random_bytes(32);
  // Without the system's generator TLS would not work either. In memory the key guards nothing.
  return random ? Secret(std::string(as_text(*random))) : Secret("no random bytes");
}

bool ended(const Error& error) {
  return error.code() == Errc::timeout || error.code() == Errc::cancelled;
}

}  // namespace

std::optional<std::filesystem::path> token_folder(const Environment& environment) {
  return credential::tokens_folder(environment);
}

TokenStore::TokenStore(const std::optional<std::filesystem::path>& folder, Clock& clock)
    : impl_(new Impl{.cache = TokenCache(folder, clock)}) {}
TokenStore::~TokenStore() = default;

TokenCache::TokenCache(const std::optional<std::filesystem::path>& folder, Clock& clock)
    : clock_(clock),
      folder_(open_or_say(folder)),
      key_(folder_ ? folder_->key() : process_key()) {}

std::string TokenCache::hash(std::string_view text, std::size_t bytes) const {
  const Bytes mac = crypto::hmac_sha256(key_, as_bytes(text));
  return text::to_hex(ByteView(mac).first(bytes));
}

std::string TokenCache::identity_key(const std::vector<std::string_view>& parts) const {
  std::string text;
  for (const std::string_view part : parts) text += fmt::format("{}:{}", part.size(), part);
  return hash(text, kIdentityBytes);
}

bool TokenCache::serves(const StoredToken& stored, const Wish& wish) const {
  return clock_.now() < stored.token.refresh_at && stored.token.value != wish.rejected &&
         stored.scopes.contains(wish.scopes);
}

std::optional<Token> TokenCache::in_memory(const Wish& wish) {
  const auto memory = tokens_.find(wish.identity);
  if (memory == tokens_.end()) return std::nullopt;
  const auto exact = memory->second.by_scopes.find(wish.scopes.text());
  if (exact != memory->second.by_scopes.end() && serves(exact->second, wish)) {
    return exact->second.token;
  }
  for (const auto& [text, stored] : memory->second.by_scopes) {
    if (serves(stored, wish)) return stored.token;
  }
  return std::nullopt;
}

/// A token past its refresh time is better than none when the token server does not answer.
std::optional<Token> TokenCache::still_valid(const Wish& wish) {
  const MutexLock lock(mutex_);
  const auto memory = tokens_.find(wish.identity);
  if (memory == tokens_.end()) return std::nullopt;
  const auto exact = memory->second.by_scopes.find(wish.scopes.text());
  if (exact == memory->second.by_scopes.end()) return std::nullopt;
  const Token& token = exact->second.token;
  if (clock_.now() >= token.expires || token.value == wish.rejected) return std::nullopt;
  return token;
}

void TokenCache::drop_expired() {
  const auto now = clock_.now();
  for (auto& [identity, memory] : tokens_) {
    std::erase_if(memory.by_scopes,
                  [&](const auto& entry) { return entry.second.token.expires <= now; });
  }
  std::erase_if(tokens_, [](const auto& entry) { return entry.second.by_scopes.empty(); });
}

void TokenCache::keep(const Wish& wish, const StoredToken& stored) {
  drop_expired();
  auto& by_scopes = tokens_[wish.identity].by_scopes;
  if (by_scopes.size() >= kMaxTokens) {
    by_scopes.erase(std::ranges::min_element(
        by_scopes, {}, [](const auto& entry) { return entry.second.token.expires; }));
  }
  by_scopes[stored.scopes.text()] = stored;
}

void TokenCache::drop_rejected(const Wish& wish) {
  if (wish.rejected.empty()) return;
  std::vector<std::string> dropped;
  {
    const MutexLock lock(mutex_);
    const auto memory = tokens_.find(wish.identity);
    if (memory == tokens_.end()) return;
    std::erase_if(memory->second.by_scopes, [&](const auto& entry) {
      if (entry.second.token.value != wish.rejected) return false;
      dropped.push_back(entry.first);
      return true;
    });
  }
  if (!folder_) return;
  for (const std::string& scopes : dropped) {
    folder_->remove(wish.identity, hash(scopes, kScopesBytes), wish.rejected);
  }
}

Result<TokenCache::Issued> TokenCache::get(const std::string& identity, const Scopes& scopes,
                                           const Secret& rejected, const Fetch& fetch,
                                           const Context& context, std::chrono::seconds patience) {
  const Wish wish{.identity = identity,
                  .scopes = scopes,
                  .rejected = rejected,
                  .scopes_hash = hash(scopes.text(), kScopesBytes),
                  .patience = patience};
  drop_rejected(wish);
  const std::string name = identity + "-" + wish.scopes_hash;
  std::shared_ptr<Flight> flight;
  {
    const MutexLock lock(mutex_);
    while (true) {
      if (auto token = in_memory(wish)) return Issued{.token = *std::move(token)};
      if (context.is_nonblocking()) {
        return Error(Errc::would_block, "a token must be fetched first");
      }
      TRY(context.check());
      const auto under_way = flights_.find(name);
      if (under_way == flights_.end()) break;
      flight = under_way->second;
      while (!flight->result) {
        TRY(context.check());
        landed_.wait(mutex_, context);
      }
      const Result<Token>& result = *flight->result;
      if (result && result->value != rejected) return Issued{.token = *result, .fresh = true};
      // Who fetched may have been cancelled: that says nothing about this caller.
      if (!result && !ended(result.error())) return result.error();
    }
    flight = std::make_shared<Flight>();
    flights_[name] = flight;
  }
  // Whoever waits is woken however this ends, be it by an exception.
  Result<Token> result = Error(Errc::internal, "fetching a token ended without an answer");
  const OnExit end([&] {
    const MutexLock lock(mutex_);
    flight->result = result;
    flights_.erase(name);
    landed_.notify_all();
  });
  Result<Issued> issued = lead(wish, fetch, context);
  result = issued ? Result<Token>(issued->token) : Result<Token>(issued.error());
  return issued;
}

Result<TokenCache::Issued> TokenCache::lead(const Wish& wish, const Fetch& fetch,
                                            const Context& context) {
  Result<Issued> issued = lead_among_processes(wish, fetch, context);
  if (!issued && issued.error().is_retryable()) {
    if (auto token = still_valid(wish)) return Issued{.token = *std::move(token)};
  }
  return issued;
}

Result<TokenCache::Issued> TokenCache::lead_among_processes(const Wish& wish, const Fetch& fetch,
                                                            const Context& context) {
  std::optional<TokenFolder::Lock> file_lock;
  if (folder_) {
    std::optional<StoredToken> found;
    file_lock = lock_file(wish, context, found);
    if (found) {
      const MutexLock lock(mutex_);
      keep(wish, *found);
      return Issued{.token = found->token};
    }
    TRY(context.check());
  }
  // Not inside the braces: GCC 12 would leak the scopes when the fetch fails (try.hpp).
  auto fetched = TRY(fetch());
  StoredToken stored{.scopes = wish.scopes, .token = std::move(fetched)};
  if (folder_) {
    const Result<void> saved = folder_->save(wish.identity, wish.scopes_hash, stored, clock_.now());
    if (!saved) log::debug(fmt::format("a token was not kept: {}", saved.error().describe()));
  }
  const MutexLock lock(mutex_);
  keep(wish, stored);
  return Issued{.token = std::move(stored.token), .fresh = true};
}

/// Looks into the folder, and while another process fetches, again and again: flock(2) has no time
/// limit that a Context could end.
std::optional<TokenFolder::Lock> TokenCache::lock_file(const Wish& wish, const Context& context,
                                                       std::optional<StoredToken>& found) {
  const auto find = [&] {
    auto stored = folder_->find(wish.identity, wish.scopes_hash);
    if (stored && !serves(*stored, wish)) stored.reset();
    return stored;
  };
  const auto patience = context.with_timeout(wish.patience);
  milliseconds pause = kFirstPoll;
  while (true) {
    found = find();
    if (found) return std::nullopt;
    bool broken = false;
    auto lock = folder_->try_lock(wish.identity, wish.scopes_hash, broken);
    if (lock) {
      // It may have been saved between the look and the lock.
      found = find();
      return lock;
    }
    if (broken || !real_clock().sleep(pause, patience)) return std::nullopt;
    pause = std::min(pause * 2, kLastPoll);
  }
}

std::optional<AuthScheme> TokenCache::scheme(const std::string& origin) const {
  const MutexLock lock(mutex_);
  const auto found = schemes_.find(origin);
  return found == schemes_.end() ? std::nullopt : std::optional(found->second);
}

void TokenCache::remember(const std::string& origin, const AuthScheme& scheme) {
  const MutexLock lock(mutex_);
  schemes_.insert_or_assign(origin, scheme);
}

void TokenCache::forget(const std::string& origin) {
  const MutexLock lock(mutex_);
  schemes_.erase(origin);
}

Scopes TokenCache::with_extra(const std::string& origin, const Scopes& wanted) const {
  Scopes all = wanted;
  const MutexLock lock(mutex_);
  const auto found = extras_.find(origin + " " + wanted.text());
  if (found != extras_.end()) all.add(found->second);
  return all;
}

void TokenCache::remember_extra(const std::string& origin, const Scopes& wanted,
                                const Scopes& extra) {
  if (wanted.contains(extra)) return;
  const MutexLock lock(mutex_);
  if (extras_.size() >= kMaxExtras) extras_.clear();
  extras_.insert_or_assign(origin + " " + wanted.text(), extra);
}

void TokenCache::remember_refusal(const std::string& origin, const Scopes& wanted,
                                  bool everything) {
  const MutexLock lock(mutex_);
  if (refusals_.size() >= kMaxExtras) refusals_.clear();
  refusals_.insert(everything ? origin : origin + " " + wanted.text());
}

void TokenCache::forget_refusals(const std::string& origin) {
  const MutexLock lock(mutex_);
  std::erase_if(refusals_, [&](const std::string& place) {
    return place == origin || place.starts_with(origin + " ");
  });
}

bool TokenCache::refuses_nobody(const std::string& origin, const Scopes& wanted) const {
  const MutexLock lock(mutex_);
  return refusals_.contains(origin) || refusals_.contains(origin + " " + wanted.text());
}

std::string TokenCache::giver(const std::string& identity) const {
  const MutexLock lock(mutex_);
  const auto found = givers_.find(identity);
  return found == givers_.end() ? std::string() : found->second;
}

void TokenCache::remember_giver(const std::string& identity, const std::string& name) {
  const MutexLock lock(mutex_);
  if (givers_.size() >= kMaxExtras) givers_.clear();
  givers_[identity] = name;
}

}  // namespace berth::auth
