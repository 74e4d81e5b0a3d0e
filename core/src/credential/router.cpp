// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/router.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "berth/base/try.hpp"
#include "berth/credential/acr_token.hpp"
#include "berth/credential/helper.hpp"
#include "berth/credential/jwt.hpp"
#include "berth/credential/protocol.hpp"
#include "berth/credential/store.hpp"

#include "credential/entra_tokens.hpp"

namespace berth::credential {
namespace {

void say(std::vector<Tried>* tried, std::string source, std::string outcome) {
  if (tried != nullptr) {
    tried->push_back({.source = std::move(source), .outcome = std::move(outcome)});
  }
}

Credential acr_credential(Secret token) {
  return {.username = std::string(kAcrUser),
          .password = std::move(token),
          .source = std::string(kEntraSource)};
}

std::string route_words(const Route& route) {
  return fmt::format("berth's route \"{}\" = \"{}\"", route.pattern, route.use());
}

/// Whether both are of one account, as far as they say whose they are.
bool is_same_account(const Secret& one, const Secret& other) {
  const auto left = read_jwt(one.reveal());
  const auto right = read_jwt(other.reveal());
  return left && right && !left->subject.empty() && left->subject == right->subject &&
         left->tenant == right->tenant;
}

}  // namespace

Router::Router(RouterOptions options)
    : options_(std::move(options)) {}

Router::Found Router::get(const ServerKey& key, const Context& context, std::vector<Tried>* tried) {
  const Route chosen = route(key);
  if (!chosen.is_default) say(tried, route_words(chosen), "chosen for " + key.text());
  const Context limited = context.with_timeout(options_.config.helper_timeout);
  switch (chosen.kind) {
    case RouteKind::anonymous:
      return std::optional<Credential>();
    case RouteKind::helper:
      return from_helper(chosen.helper, key, limited, tried);
    case RouteKind::store:
      return from_store(key, limited, tried);
    case RouteKind::entra:
      break;
  }
  // What somebody logged in with comes before an identity that is merely there; a written route
  // leaves no such choice.
  if (chosen.is_default) {
    auto found = TRY(from_store(key, limited, tried));
    if (found) return renewed(*std::move(found), key.host, context, tried);
  }
  auto token = TRY(entra_token(key.host, context, tried));
  if (!token) return std::optional<Credential>();
  return std::optional(acr_credential(std::move(token->value)));
}

Router::Found Router::from_store(const ServerKey& key, const Context& context,
                                 std::vector<Tried>* tried) {
  const auto stores = TRY(stores_to_read(options_.config, options_.environment));
  if (stores.empty()) say(tried, "berth's store", "there is none: nobody logged in with berth");
  for (const auto& store : stores) {
    for (const std::string& name : key.candidates()) {
      const ServerKey candidate = name == key.text() ? key : TRY(parse_server_key(name));
      auto found = store->get(candidate, context);
      if (!found) return Error(std::move(found).error()).with_context("berth's store");
      if (!*found) continue;
      (*found)->source = store->name();
      say(tried, "berth's store " + store->name(), "found");
      return found;
    }
    say(tried, "berth's store " + store->name(), "no entry for " + key.text());
  }
  return std::optional<Credential>();
}

Router::Found Router::from_helper(const std::string& helper, const ServerKey& key,
                                  const Context& context, std::vector<Tried>* tried) {
  // Helpers match whole names, and know hosts.
  const ServerKey asked =
      key.is_url ? key : ServerKey{.host = key.host, .path = {}, .is_url = false};
  auto found = TRY(ask_helper(helper, asked.server_url(), options_.environment, context));
  say(tried, "helper " + helper, found ? "found" : "none for " + asked.server_url());
  return found;
}

Result<std::optional<RefreshToken>> Router::entra_token(const std::string& registry,
                                                        const Context& context,
                                                        std::vector<Tried>* tried) {
  return EntraTokens(options_).get(registry, std::nullopt, context, tried);
}

/// A registry's token that somebody logged in with is renewed as one that berth fetched: `az acr
/// login` leaves one behind, and nobody renews it. As long as it holds another account's is none of
/// its kind, whoever the machine is.
Router::Found Router::renewed(Credential held, const std::string& registry, const Context& context,
                              std::vector<Tried>* tried) {
  std::optional<RefreshToken> token = acr_token(held);
  if (!token || !token->is_aging(options_.clock->now())) return std::optional(std::move(held));
  if (token->expires <= options_.clock->now()) {
    say(tried, held.source, "its token has ended");
    token.reset();
  }
  const std::optional<Secret> old = token ? std::optional(token->value) : std::nullopt;
  auto best = TRY(EntraTokens(options_).get(registry, std::move(token), context, tried));
  if (!best) return std::optional<Credential>();
  if (old && best->value == *old) return std::optional(std::move(held));
  if (old && !is_same_account(*old, best->value)) {
    say(tried, held.source, "not renewed: the identity that is there is another account");
    return std::optional(std::move(held));
  }
  return std::optional(acr_credential(std::move(best->value)));
}

Result<std::string> Router::put(const ServerKey& key, const Credential& credential,
                                const Context& context, const std::string& store) {
  if (credential.is_anonymous()) {
    return Error(Errc::invalid_argument,
                 fmt::format("the user name \"{}\" stands for an identity token, and there is none",
                             kTokenUser));
  }
  const auto target = TRY(own_store(key, credential.username, store));
  const Context limited = context.with_timeout(options_.config.helper_timeout);
  if (target != nullptr) {
    TRY(target->put(key, credential, limited));
    TRY(erase_earlier(key, *target, limited));
    return target->name();
  }
  const Route chosen = route(key);
  if (chosen.kind == RouteKind::helper) {
    TRY(store_in_helper(chosen.helper, key.server_url(), credential, options_.environment,
                        limited));
    return fmt::format("{} (docker-credential-{})", chosen.helper, chosen.helper);
  }
  return std::string("nowhere: berth renews this registry's tokens itself");
}

Result<void> Router::check_put(const ServerKey& key, const std::string& username,
                               const std::string& store) const {
  TRY(own_store(key, username, store));
  return {};
}

/// The store of berth's own that a credential goes to; nullptr: the route leads to a helper, or it
/// is ACR's own, which needs no keeping.
Result<std::unique_ptr<Store>> Router::own_store(const ServerKey& key, const std::string& username,
                                                 const std::string& named) const {
  const Route chosen = route(key);
  if (!named.empty() || chosen.kind == RouteKind::store || chosen.is_default) {
    return store_to_write(options_.config, named, options_.environment);
  }
  if (chosen.kind == RouteKind::helper) return nullptr;
  if (chosen.kind == RouteKind::entra && username == kAcrUser) return nullptr;
  return Error(
      Errc::unsupported,
      fmt::format("the credential of {} cannot be kept: {} says that it would never be used; "
                  "change that line, or remove it",
                  key.text(), route_words(chosen)));
}

/// What is looked at before the place that was written would answer in its stead.
Result<void> Router::erase_earlier(const ServerKey& key, const Store& target,
                                   const Context& context) const {
  const auto stores = TRY(stores_to_read(options_.config, options_.environment));
  const auto is_target = [&](const auto& store) { return store->name() == target.name(); };
  if (std::ranges::none_of(stores, is_target)) return {};
  for (const auto& store : stores) {
    if (is_target(store)) break;
    auto erased = store->erase(key, context);
    if (!erased) {
      return Error(std::move(erased).error())
          .with_context(fmt::format("it was kept in {}, but {} comes first and may hold another",
                                    target.name(), store->name()));
    }
  }
  return {};
}

Result<std::vector<std::string>> Router::erase(const ServerKey& key, const Context& context) {
  const Route chosen = route(key);
  const Context limited = context.with_timeout(options_.config.helper_timeout);
  std::vector<std::string> places;
  if (chosen.kind == RouteKind::helper) {
    const auto helper = make_helper_store(chosen.helper, options_.environment);
    if (!TRY(helper->get(key, limited))) return places;
    TRY(helper->erase(key, limited));
    places.push_back(helper->name());
    return places;
  }
  if (auto place = EntraTokens(options_).erase(key.host)) places.push_back(*std::move(place));
  const auto stores = TRY(stores_to_read(options_.config, options_.environment));
  for (const auto& store : stores) {
    if (!TRY(store->get(key, limited))) continue;
    TRY(store->erase(key, limited));
    places.push_back(store->name());
  }
  return places;
}

void Router::list_stores(const Context& context, std::map<std::string, std::string>& entries,
                         std::vector<Error>& failures) {
  auto stores = stores_to_read(options_.config, options_.environment);
  if (!stores) {
    failures.push_back(std::move(stores).error());
    return;
  }
  for (const auto& store : *stores) {
    auto listed = store->list(context);
    if (!listed) {
      failures.push_back(Error(std::move(listed).error()).with_context(store->name()));
      continue;
    }
    for (const auto& [name, user] : *listed) {
      const auto key = parse_server_key(name);
      if (key) entries.try_emplace(key->server_url(), user);
    }
  }
}

/// A helper lists what it likes: only what a route leads to it is what `get` would give.
void Router::list_helpers(const Context& context, std::map<std::string, std::string>& entries,
                          std::vector<Error>& failures) {
  std::set<std::string> helpers;
  for (const Route& written : options_.config.routes) {
    if (written.kind == RouteKind::helper) helpers.insert(written.helper);
  }
  for (const std::string& helper : helpers) {
    auto listed = list_helper(helper, options_.environment, context);
    if (!listed) {
      failures.push_back(std::move(listed).error());
      continue;
    }
    for (const auto& [url, user] : *listed) {
      const auto key = parse_server_key(url);
      if (!key) continue;
      const Route chosen = route(*key);
      if (chosen.kind == RouteKind::helper && chosen.helper == helper) entries[url] = user;
    }
  }
}

/// docker's old builder asks for what is listed: a registry that only Entra ID knows must be there.
void Router::list_tokens(std::map<std::string, std::string>& entries) const {
  for (const Route& written : options_.config.routes) {
    const bool is_host = written.pattern.find_first_of("*/") == std::string::npos;
    if (written.kind == RouteKind::entra && is_host) entries[written.pattern] = kAcrUser;
  }
  for (const std::string& name : EntraTokens(options_).registries()) {
    entries.try_emplace(name, kAcrUser);
  }
}

std::map<std::string, std::string> Router::list(const Context& context,
                                                std::vector<Error>& failures) {
  const Context limited = context.with_timeout(options_.config.helper_timeout);
  std::map<std::string, std::string> entries;
  list_stores(limited, entries, failures);
  list_helpers(limited, entries, failures);
  list_tokens(entries);
  return entries;
}

}  // namespace berth::credential
