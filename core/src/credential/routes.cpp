// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/routes.hpp"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/helper.hpp"
#include "berth/oci/reference.hpp"

#include "credential/registry_key.hpp"

namespace berth::credential {
namespace {

constexpr std::string_view kHelperPrefix = "helper:";
constexpr std::string_view kAny = "*";

struct Pattern {
  std::string host;  // without its port
  std::string port;  // "" none, "*" any
  std::string_view path;
};

Pattern split_pattern(std::string_view text) {
  const std::size_t slash = text.find('/');
  std::string host = text::to_lower(text.substr(0, slash));
  Pattern pattern;
  if (slash != std::string_view::npos) pattern.path = text.substr(slash + 1);
  while (pattern.path.ends_with('/')) pattern.path.remove_suffix(1);
  const std::size_t colon = host.rfind(':');
  if (colon != std::string::npos && !host.ends_with(']')) {
    pattern.port = host.substr(colon + 1);
    host.resize(colon);
  }
  pattern.host = canonical_host(host);
  return pattern;
}

/// `*` is any characters, none included. Patterns are a person's own and short: backtracking to the
/// last star alone is enough, and linear in practice.
bool glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool parts_match(std::string_view pattern, std::string_view text, char separator, bool prefix) {
  const auto wanted = text::split(pattern, separator);
  const auto given = text::split(text, separator);
  if (prefix ? given.size() < wanted.size() : given.size() != wanted.size()) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (given[i].empty() || !glob(wanted[i], given[i])) return false;
  }
  return true;
}

bool host_matches(const Pattern& pattern, const std::string& host) {
  if (pattern.host == kAny && pattern.port.empty()) return true;
  const Pattern given = split_pattern(host);
  if (pattern.port != kAny && pattern.port != given.port) return false;
  if (pattern.host == kAny) return true;
  return parts_match(pattern.host, given.host, '.', false);
}

/// The more, the closer: length of the path, few wildcards, length of the whole.
auto closeness(const Route& route) {
  const Pattern pattern = split_pattern(route.pattern);
  const auto parts =
      pattern.path.empty() ? 0 : 1 + std::count(pattern.path.begin(), pattern.path.end(), '/');
  const auto stars = std::count(route.pattern.begin(), route.pattern.end(), '*');
  return std::tuple(parts, -stars, route.pattern.size());
}

Error bad_pattern(std::string_view pattern, std::string_view why) {
  return {Errc::invalid_argument,
          fmt::format("\"{}\" {}: a pattern is host[:port][/path], with * for parts of a name",
                      text::escape_for_terminal(pattern), why)};
}

}  // namespace

std::string Route::use() const {
  switch (kind) {
    case RouteKind::store:
      return "store";
    case RouteKind::helper:
      return std::string(kHelperPrefix) + helper;
    case RouteKind::entra:
      return "entra";
    case RouteKind::anonymous:
      break;
  }
  return "anonymous";
}

Result<void> check_pattern(std::string_view pattern) {
  if (pattern == kAny) return {};
  if (pattern.find("://") != std::string_view::npos) return bad_pattern(pattern, "has a scheme");
  if (has_control(pattern)) return bad_pattern(pattern, "has control characters");
  // A name with an "x" for each star is a registry's if the pattern is one's.
  Pattern parts = split_pattern(pattern);
  std::string host = parts.host;
  std::replace(host.begin(), host.end(), '*', 'x');
  if (!parts.port.empty()) host += ":" + (parts.port == kAny ? std::string("1") : parts.port);
  if (!oci::is_registry(host)) return bad_pattern(pattern, "can match no registry");
  for (const std::string_view part : text::split(parts.path, '/')) {
    if (part.empty() && !parts.path.empty()) return bad_pattern(pattern, "has an empty part");
  }
  return {};
}

bool pattern_matches(std::string_view text, const ServerKey& key) {
  const Pattern pattern = split_pattern(text);
  if (!host_matches(pattern, key.host)) return false;
  return pattern.path.empty() || parts_match(pattern.path, key.path, '/', true);
}

Result<Route> parse_route(std::string_view pattern, std::string_view use) {
  TRY(check_pattern(pattern));
  Route route{.pattern = std::string(pattern)};
  if (use == "store") return route;
  if (use == "entra" || use == "anonymous") {
    route.kind = use == "entra" ? RouteKind::entra : RouteKind::anonymous;
    return route;
  }
  if (!use.starts_with(kHelperPrefix)) {
    return Error(Errc::invalid_argument,
                 fmt::format("\"{}\" is no route: write \"store\", \"entra\", \"anonymous\" or "
                             "\"helper:NAME\"",
                             text::escape_for_terminal(use)));
  }
  route.kind = RouteKind::helper;
  route.helper = use.substr(kHelperPrefix.size());
  if (!is_helper_name(route.helper)) {
    return Error(Errc::invalid_argument,
                 fmt::format("\"{}\" cannot be a credential helper's name: lower case letters, "
                             "digits and dashes only",
                             text::escape_for_terminal(route.helper)));
  }
  if (route.helper == "berth") {
    return Error(Errc::invalid_argument,
                 "the route leads to berth itself, a circle (berth -> berth): name another helper");
  }
  return route;
}

Route route_for(const CredentialConfig& config, const ServerKey& key) {
  const Route* best = nullptr;
  for (const Route& route : config.routes) {
    if (!pattern_matches(route.pattern, key)) continue;
    if (best == nullptr || closeness(route) > closeness(*best)) best = &route;
  }
  if (best != nullptr) return *best;
  const auto stands_in = [&](const std::vector<std::string>& hosts) {
    return std::ranges::find(hosts, key.host) != hosts.end();
  };
  const bool is_acr =
      (is_acr_host(key.host) && !stands_in(config.not_acr_hosts)) || stands_in(config.acr_hosts);
  return {.pattern = key.host,
          .kind = is_acr ? RouteKind::entra : RouteKind::store,
          .is_default = true};
}

bool is_acr_host(std::string_view host) {
  const std::size_t dot = host.find('.');
  if (dot == 0 || dot == std::string_view::npos) return false;
  const std::string_view domain = host.substr(dot + 1);
  // NAME.azurecr.io, and NAME.REGION.data.azurecr.io is no registry's API.
  return domain == "azurecr.io" || domain == "azurecr.cn" || domain == "azurecr.us" ||
         domain == "azurecr.de";
}

}  // namespace berth::credential
