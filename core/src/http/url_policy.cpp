// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/http/policy.hpp"

#include "http/ip_address.hpp"

namespace berth::http::url_policy {
namespace {

Error refused(std::string message) { return Error(Errc::untrusted, std::move(message)); }

std::string_view describe(AddressClass one) {
  switch (one) {
    case AddressClass::global:
      return "a public";
    case AddressClass::private_net:
      return "a private";
    case AddressClass::link_local:
      return "a link-local";
    case AddressClass::loopback:
      return "a loopback";
  }
  return "an unknown";
}

// Names below these belong to whoever took them: two of them have nothing in common.
constexpr std::array kSharedSuffixes = {
    std::string_view("azurecr.io"),
    std::string_view("azurecr.cn"),
    std::string_view("azurecr.us"),
    std::string_view("amazonaws.com"),
    std::string_view("amazonaws.com.cn"),
    std::string_view("on.aws"),
    std::string_view("cloudfront.net"),
    std::string_view("windows.net"),
    std::string_view("azure.com"),
    std::string_view("azurewebsites.net"),
    std::string_view("azurecontainer.io"),
    std::string_view("azurecontainerapps.io"),
    std::string_view("azurefd.net"),
    std::string_view("azureedge.net"),
    std::string_view("trafficmanager.net"),
    std::string_view("pkg.dev"),
    std::string_view("run.app"),
    std::string_view("appspot.com"),
    std::string_view("web.app"),
    std::string_view("googleusercontent.com"),
    std::string_view("github.io"),
    std::string_view("gitlab.io"),
    std::string_view("jfrog.io"),
    std::string_view("herokuapp.com"),
    std::string_view("workers.dev"),
    std::string_view("pages.dev"),
    std::string_view("netlify.app"),
    std::string_view("vercel.app"),
    std::string_view("fly.dev"),
    std::string_view("onrender.com"),
    std::string_view("ngrok.io"),
    std::string_view("ngrok.app"),
    std::string_view("ngrok-free.app"),
    std::string_view("duckdns.org"),
    std::string_view("nip.io"),
    std::string_view("sslip.io"),
    std::string_view("myqcloud.com"),
    std::string_view("aliyuncs.com"),
    std::string_view("ondigitalocean.app"),
    std::string_view("digitaloceanspaces.com"),
};

// co.uk, com.au, or.jp: below a country's two letters these are suffixes, not somebody's domain.
constexpr std::array kSecondLevel = {
    std::string_view("co"),  std::string_view("com"), std::string_view("net"),
    std::string_view("org"), std::string_view("gov"), std::string_view("edu"),
    std::string_view("ac"),  std::string_view("or"),  std::string_view("ne"),
    std::string_view("go"),  std::string_view("mil"), std::string_view("nom"),
    std::string_view("gob"), std::string_view("ltd"), std::string_view("plc"),
    std::string_view("me"),  std::string_view("sch"), std::string_view("id"),
    std::string_view("web"), std::string_view("biz"), std::string_view("info"),
};

struct RealmPair {
  std::string_view registry;
  std::string_view realm;
};
// Realms of registries that share no registrable domain with them. Docker Hub is asked at
// registry-1.docker.io under each of its names.
constexpr std::array kKnownRealms = {
    RealmPair{"dhi.io", "auth.docker.io"},
};

bool is_below(std::string_view host, std::string_view suffix) {
  return host.size() > suffix.size() && host.ends_with(suffix) &&
         host[host.size() - suffix.size() - 1] == '.';
}

std::size_t labels_of_registrable_domain(std::string_view host) {
  const std::size_t last = host.rfind('.');
  const std::size_t before = host.rfind('.', last - 1);
  const std::string_view second = before == std::string_view::npos
                                      ? host.substr(0, last)
                                      : host.substr(before + 1, last - before - 1);
  const bool country = host.size() - last - 1 == 2;
  return country &&
                 std::find(kSecondLevel.begin(), kSecondLevel.end(), second) != kSecondLevel.end()
             ? 3
             : 2;
}

// An approximation of the public suffix list that errs on the side of "not the same owner". Empty
// for hosts that share their domain with nobody.
std::string_view registrable_domain(std::string_view host) {
  if (classify_host(host) || host.find('.') == std::string_view::npos) return {};
  for (const std::string_view suffix : kSharedSuffixes) {
    if (host == suffix || is_below(host, suffix)) return {};
  }
  std::size_t start = host.size();
  for (std::size_t labels = labels_of_registrable_domain(host); labels > 0; --labels) {
    if (start == 0) return {};
    const std::size_t dot = host.rfind('.', start - 1);
    if (dot == std::string_view::npos) return labels == 1 ? host : std::string_view();
    start = dot;
  }
  return host.substr(start + 1);
}

}  // namespace

std::optional<AddressClass> classify_host(std::string_view host) {
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  std::string name = text::to_lower(host);
  if (name.ends_with('.')) name.pop_back();
  if (is_localhost(name)) return AddressClass::loopback;
  if (const auto known = classify_address(name)) return known;
  // "127.1", "0x7f.1", "2130706433": each resolver reads them in its own way, so expect the worst.
  if (ends_in_number(name)) return AddressClass::loopback;
  return std::nullopt;
}

AddressClasses forbidden_after_redirect(std::optional<AddressClass> from) {
  switch (from.value_or(AddressClass::global)) {
    case AddressClass::loopback:
      return {};
    case AddressClass::link_local:
      return {AddressClass::loopback};
    default:
      return {AddressClass::loopback, AddressClass::link_local};
  }
}

AddressClasses forbidden_for_realm(std::optional<AddressClass> registry) {
  const AddressClasses forbidden = forbidden_after_redirect(registry);
  const bool is_public = registry.value_or(AddressClass::global) == AddressClass::global;
  return is_public ? forbidden | AddressClasses{AddressClass::private_net} : forbidden;
}

Result<void> check_redirect(const Url& from, const Url& to, std::optional<AddressClass> from_peer) {
  if (from.origin() == to.origin()) return {};
  if (from.origin().scheme == "https" && to.origin().scheme != "https") {
    return refused(fmt::format("{} redirects to {}, which is not encrypted: refused",
                               from.origin().text(), to.origin().text()));
  }
  const auto target = classify_host(to.origin().host);
  const auto source = from_peer ? from_peer : classify_host(from.origin().host);
  if (target && forbidden_after_redirect(source).contains(*target)) {
    return refused(fmt::format("{} redirects to {}, {} address: refused", from.origin().text(),
                               to.origin().text(), describe(*target)));
  }
  return {};
}

Result<void> check_page_link(const Url& from, const Url& to) {
  if (from.origin() == to.origin()) return {};
  return refused(
      fmt::format("the next page of a list of {} is said to be at {}: a list stays at "
                  "its registry, refused",
                  from.origin().text(), to.origin().text()));
}

Result<void> check_realm(const Url& registry, const Url& realm,
                         std::optional<AddressClass> registry_peer) {
  if (registry.origin().scheme == "https" && realm.origin().scheme != "https") {
    return refused(
        fmt::format("the registry {} sends its clients for a token to {}, which is not "
                    "encrypted: refused",
                    registry.origin().text(), realm.origin().text()));
  }
  if (registry.origin().host == realm.origin().host) return {};
  const auto target = classify_host(realm.origin().host);
  const auto source = registry_peer ? registry_peer : classify_host(registry.origin().host);
  if (target && forbidden_for_realm(source).contains(*target)) {
    return refused(
        fmt::format("the registry {} sends its clients for a token to {}, {} address: "
                    "refused",
                    registry.origin().text(), realm.origin().text(), describe(*target)));
  }
  return {};
}

bool realm_may_see_password(const Url& registry, const Url& realm) {
  const std::string& ours = registry.origin().host;
  const std::string& theirs = realm.origin().host;
  if (ours == theirs) return true;
  const bool known = std::any_of(kKnownRealms.begin(), kKnownRealms.end(), [&](RealmPair pair) {
    return pair.registry == ours && pair.realm == theirs;
  });
  if (known) return true;
  const std::string_view domain = registrable_domain(ours);
  return !domain.empty() && domain == registrable_domain(theirs);
}

std::shared_ptr<const ConnectionOptions> connection_for(
    const std::shared_ptr<const ConnectionOptions>& options, const Url& own, const Url& target) {
  if (options == nullptr || own.origin() == target.origin()) return options;
  ConnectionOptions elsewhere;
  elsewhere.ca_file = options->ca_file;
  elsewhere.more_ca_files = options->more_ca_files;
  return std::make_shared<const ConnectionOptions>(std::move(elsewhere));
}

Result<void> check_plain_http(const Url& url, bool host_was_named_for_http) {
  if (url.origin().scheme == "https" || host_was_named_for_http) return {};
  if (classify_host(url.origin().host) == AddressClass::loopback) return {};
  return refused(
      fmt::format("{} is not encrypted: berth uses plain http only for this machine, or "
                  "when it is asked to for that host",
                  url.origin().text()));
}

}  // namespace berth::http::url_policy
