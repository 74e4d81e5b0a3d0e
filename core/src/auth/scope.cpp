// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/scope.hpp"

#include <algorithm>

#include "berth/base/text.hpp"

namespace berth::auth {
namespace {

/// "type:name:actions"; the name may hold colons (host:port/repository).
constexpr int kColons = 2;

void insert_sorted(std::vector<std::string>& items, std::string_view item) {
  const auto place = std::lower_bound(items.begin(), items.end(), item);
  if (place == items.end() || *place != item) items.emplace(place, item);
}

bool has(const std::vector<std::string>& sorted, std::string_view item) {
  return std::binary_search(sorted.begin(), sorted.end(), item);
}

}  // namespace

Scopes Scopes::parse(std::string_view text) {
  Scopes result;
  for (const std::string_view part : text::split(text, ' ')) {
    if (part.empty()) continue;
    Scope scope;
    if (std::count(part.begin(), part.end(), ':') < kColons) {
      scope.resource = part;  // no form that we know, but the server's own word: kept as it is
    } else {
      const std::size_t colon = part.rfind(':');
      scope.resource = part.substr(0, colon);
      for (const std::string_view action : text::split(part.substr(colon + 1), ',')) {
        if (!action.empty()) insert_sorted(scope.actions, action);
      }
      if (scope.actions.empty()) continue;  // asks for nothing
    }
    Scopes one;
    one.scopes_.push_back(std::move(scope));
    result.add(one);
  }
  return result;
}

Scopes Scopes::pull(std::string_view repository) {
  Scopes result;
  result.scopes_.push_back(
      {.resource = "repository:" + std::string(repository), .actions = {"pull"}});
  return result;
}

Scopes Scopes::push(std::string_view repository) {
  return parse("repository:" + std::string(repository) + ":pull,push");
}

Scopes Scopes::remove(std::string_view repository) {
  return parse("repository:" + std::string(repository) + ":delete");
}

Scopes Scopes::catalog() { return parse("registry:catalog:*"); }

void Scopes::add(const Scopes& other) {
  for (const Scope& scope : other.scopes_) {
    const auto place =
        std::lower_bound(scopes_.begin(), scopes_.end(), scope.resource,
                         [](const Scope& a, const std::string& b) { return a.resource < b; });
    if (place == scopes_.end() || place->resource != scope.resource) {
      scopes_.insert(place, scope);
      continue;
    }
    for (const std::string& action : scope.actions) insert_sorted(place->actions, action);
  }
}

bool Scopes::contains(const Scopes& other) const {
  return std::all_of(other.scopes_.begin(), other.scopes_.end(), [&](const Scope& wanted) {
    const auto mine = std::find_if(scopes_.begin(), scopes_.end(), [&](const Scope& scope) {
      return scope.resource == wanted.resource;
    });
    if (mine == scopes_.end()) return false;
    if (has(mine->actions, "*")) return true;
    return std::all_of(wanted.actions.begin(), wanted.actions.end(),
                       [&](const std::string& action) { return has(mine->actions, action); });
  });
}

Scopes Scopes::wildcards() const {
  Scopes result;
  for (const Scope& scope : scopes_) {
    const bool of_repositories = scope.resource.starts_with("repository:");
    if (of_repositories && scope.resource.contains('*')) result.scopes_.push_back(scope);
  }
  return result;
}

std::vector<std::string> Scopes::list() const {
  std::vector<std::string> result;
  for (const Scope& scope : scopes_) {
    std::string text = scope.resource;
    for (std::size_t i = 0; i < scope.actions.size(); ++i) {
      text += (i == 0 ? ":" : ",") + scope.actions[i];
    }
    result.push_back(std::move(text));
  }
  return result;
}

std::string Scopes::text() const {
  std::string result;
  for (const std::string& scope : list()) result += (result.empty() ? "" : " ") + scope;
  return result;
}

}  // namespace berth::auth
