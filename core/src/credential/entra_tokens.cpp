// SPDX-License-Identifier: Apache-2.0
#include "credential/entra_tokens.hpp"

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"

namespace berth::credential {
namespace {

using std::chrono::seconds;

/// A tool that has what it needs waits no longer for something better.
constexpr seconds kRenewalTime{5};
/// Nor does the next one just after that failed.
constexpr seconds kRenewalPause{30};
/// What ends sooner is as good as ended: a pull that begins with it may not come to its end.
constexpr seconds kUsable{60};

void say(std::vector<Tried>* tried, std::string outcome) {
  if (tried != nullptr)
    tried->push_back({.source = std::string(kEntraSource), .outcome = std::move(outcome)});
}

}  // namespace

EntraTokens::EntraTokens(const RouterOptions& options)
    : options_(options),
      identity_(options.identity.empty() ? identity_of(options.environment) : options.identity) {}

Result<TokenFiles> EntraTokens::open() const {
  const auto folder = options_.keep_tokens ? tokens_folder(options_.environment) : std::nullopt;
  if (!folder) return Error(Errc::not_found, "no tokens folder");
  return TokenFiles::open(*folder);
}

bool EntraTokens::is_young(const std::optional<RefreshToken>& token) const {
  return token && !token->is_aging(options_.clock->now());
}

EntraTokens::Found EntraTokens::get(const std::string& registry, std::optional<RefreshToken> held,
                                    const Context& context, std::vector<Tried>* tried) const {
  Result<TokenFiles> files = open();
  if (!files && files.error().code() != Errc::not_found) {
    log::warning("tokens are not kept: " + files.error().describe());
  }
  std::optional<RefreshToken> best = std::move(held);
  if (files) {
    auto kept = files->find(registry, identity_, options_.clock->now());
    if (kept && (!best || best->expires < kept->expires)) best = std::move(kept);
  }
  if (is_young(best) || !options_.fetch_token || context.is_nonblocking()) {
    say(tried, best ? "a token that is kept" : "no token is kept");
    return best;
  }
  if (!files) return fetch(registry, best, context, tried, nullptr);
  return renew(*files, registry, best, context, tried);
}

/// One process fetches: the others wait for it, or go on with what they have.
EntraTokens::Found EntraTokens::renew(TokenFiles& files, const std::string& registry,
                                      const std::optional<RefreshToken>& best,
                                      const Context& context, std::vector<Tried>* tried) const {
  const bool lasts = best && best->expires - options_.clock->now() > kUsable;
  if (lasts && files.is_failing(registry, identity_, options_.clock->now())) {
    say(tried, "a token that is kept: renewing it failed a moment ago");
    return best;
  }
  const auto lock = files.lock(registry, identity_, lasts ? context.nonblocking() : context);
  const bool is_held =
      !lock && (lock.error().code() == Errc::would_block || lock.error().code() == Errc::timeout);
  if (is_held && best) {
    say(tried, "a token that is kept, while another process renews it");
    return best;
  }
  if (!lock) {
    TRY(context.check());
    log::warning("other processes may fetch the same token: " + lock.error().describe());
  }
  if (auto newer = files.find(registry, identity_, options_.clock->now()); is_young(newer)) {
    say(tried, "a token that another process fetched");
    return newer;
  }
  const Context limited = lasts ? context.with_timeout(kRenewalTime) : context;
  return fetch(registry, best, limited, tried, &files);
}

EntraTokens::Found EntraTokens::fetch(const std::string& registry,
                                      const std::optional<RefreshToken>& best,
                                      const Context& context, std::vector<Tried>* tried,
                                      TokenFiles* files) const {
  Found fetched = options_.fetch_token(registry, context);
  if (fetched && *fetched) {
    say(tried, "a new token");
    const auto saved =
        files != nullptr ? files->save(registry, identity_, **fetched) : Result<void>();
    if (!saved) log::warning("the token is not kept: " + saved.error().describe());
    return fetched;
  }
  if (!best) {
    if (fetched) say(tried, "no identity is available");
    return fetched;
  }
  if (!fetched) log::warning("a token could not be renewed: " + fetched.error().describe());
  if (files != nullptr) {
    files->remember_failure(registry, identity_, options_.clock->now() + kRenewalPause);
  }
  say(tried, "a token that is kept, past half its life");
  return best;
}

std::optional<std::string> EntraTokens::erase(const std::string& registry) const {
  auto files = open();
  if (!files || !files->find(registry, identity_, options_.clock->now())) return std::nullopt;
  files->erase(registry, identity_);
  return files->folder().native();
}

std::vector<std::string> EntraTokens::registries() const {
  const auto files = open();
  if (!files) return {};
  return files->registries(identity_, options_.clock->now());
}

}  // namespace berth::credential
