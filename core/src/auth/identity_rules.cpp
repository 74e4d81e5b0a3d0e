// SPDX-License-Identifier: Apache-2.0
#include "auth/identity_rules.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "berth/auth/cloud.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::auth {
namespace {

constexpr std::string_view kDefaultScope = "/.default";
constexpr std::size_t kLineLimit = 400;

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_made_of(std::string_view text, std::string_view more) {
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return is_alphanumeric(c) || more.find(c) != std::string_view::npos;
  });
}

}  // namespace

bool is_tenant(std::string_view text) { return is_made_of(text, "-."); }
bool is_scope(std::string_view text) { return is_made_of(text, "-_.:/"); }
bool is_subscription(std::string_view text) { return is_made_of(text, "-._ "); }

Result<std::string> single_scope(const TokenRequest& request, std::string_view who) {
  if (request.scopes.size() == 1 && is_scope(request.scopes.front())) return request.scopes.front();
  return Error(Errc::invalid_argument,
               fmt::format("{}: a token is asked for one scope, such as {}{}", who,
                           kRegistryAudience, kDefaultScope));
}

std::string resource_of(const std::string& scope) {
  return scope.ends_with(kDefaultScope) ? scope.substr(0, scope.size() - kDefaultScope.size())
                                        : scope;
}

Result<std::string> tenant_for(const TokenRequest& request, const std::string& own,
                               const std::vector<std::string>& also_allowed, std::string_view who) {
  const std::string& asked = request.tenant_id.empty() ? own : request.tenant_id;
  if (!asked.empty() && !is_tenant(asked)) {
    return Error(
        Errc::invalid_argument,
        fmt::format("{}: '{}' is no tenant: a tenant is a GUID or a domain (AZURE_TENANT_ID)", who,
                    text::escape_for_terminal(asked)));
  }
  const auto is_listed = [&](const std::string& allowed) {
    return allowed == "*" || text::equals_ignoring_case(allowed, asked);
  };
  const bool fine = own.empty() || text::equals_ignoring_case(own, asked) ||
                    std::ranges::any_of(also_allowed, is_listed);
  if (fine) return asked;
  return Error(Errc::invalid_argument,
               fmt::format("{}: it is of the tenant {}, and tokens of the tenant {} are asked for: "
                           "allow that in AZURE_ADDITIONALLY_ALLOWED_TENANTS",
                           who, own, asked));
}

std::vector<std::string> allowed_tenants(const Environment& environment) {
  std::vector<std::string> tenants;
  const std::string list = environment("AZURE_ADDITIONALLY_ALLOWED_TENANTS").value_or("");
  for (const std::string_view one : text::split(list, ';')) {
    if (const auto tenant = text::trim(one); !tenant.empty()) tenants.emplace_back(tenant);
  }
  return tenants;
}

Error not_available(std::string_view who, std::string_view why) {
  return {Errc::not_found, fmt::format("{}: {}", who, why)};
}

Error identity_failure(std::string_view who, std::string_view why) {
  return Error(Errc::unauthenticated, fmt::format("{}: {}", who, why)).local();
}

std::string first_line(std::string_view text) {
  text = text::trim(text);
  const std::size_t end = std::min(text.find_first_of("\r\n"), kLineLimit);
  return text::escape_for_terminal(text.substr(0, end));
}

}  // namespace berth::auth
