// SPDX-License-Identifier: Apache-2.0
#include "auth/scheme.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "berth/auth/challenge.hpp"
#include "berth/base/text.hpp"

namespace berth::auth {
namespace {

/// A challenge names the scope of one request: a repository's name has 255 characters at most, and
/// a mount has two.
constexpr std::size_t kMaxScopeText = 4096;
constexpr std::size_t kMaxErrorText = 512;

std::vector<Challenge> challenges_of(const http::Response& response) {
  std::vector<Challenge> all;
  for (const std::string_view header : response.headers.all("WWW-Authenticate")) {
    for (Challenge& challenge : parse_challenges(header)) all.push_back(std::move(challenge));
  }
  return all;
}

std::optional<Demand> bearer_demand(const Challenge& challenge,
                                    std::optional<http::AddressClass> peer) {
  Result<http::Url> realm = http::Url::parse(challenge.parameter("realm"));
  if (!realm) return std::nullopt;
  const std::string scope = challenge.parameter("scope");
  Demand demand{.scheme = {.kind = AuthScheme::Kind::bearer,
                           .server = TokenServer{.realm = *std::move(realm),
                                                 .service = challenge.parameter("service"),
                                                 .registry_peer = peer}},
                .scopes = {}};
  if (scope.size() <= kMaxScopeText) demand.scopes = Scopes::parse(scope);
  demand.error = challenge.parameter("error");
  demand.insufficient_scope = demand.error == "insufficient_scope";
  if (const std::string more = challenge.parameter("error_description"); !more.empty()) {
    demand.error += (demand.error.empty() ? "" : ": ") + more;
  }
  if (demand.error.size() > kMaxErrorText) demand.error.resize(kMaxErrorText);
  return demand;
}

}  // namespace

Result<std::optional<Demand>> demand_of(const http::Response& response, const std::string& name) {
  const std::vector<Challenge> challenges = challenges_of(response);
  std::string schemes;
  bool basic = false;
  for (const Challenge& challenge : challenges) {
    if (challenge.scheme == "bearer") {
      if (auto demand = bearer_demand(challenge, response.peer)) return demand;
    }
    basic = basic || challenge.scheme == "basic";
    schemes += (schemes.empty() ? "" : ", ") + text::escape_for_terminal(challenge.scheme);
  }
  if (basic) return std::optional(Demand{});
  if (challenges.empty()) return std::optional<Demand>();
  return Error(Errc::unauthenticated,
               fmt::format("{} asks for a login in a way that berth does not speak ({}): Basic and "
                           "Bearer with a realm that is an http or https URL are",
                           name, schemes));
}

}  // namespace berth::auth
