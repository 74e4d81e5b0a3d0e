// SPDX-License-Identifier: Apache-2.0
#include "http/proxy.hpp"

#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/http/policy.hpp"

#include "http/ip_address.hpp"

namespace berth::http {
namespace {

/// What stands before the '@' of a URL, which may leave its scheme out; "" for none.
std::string_view user_part(std::string_view proxy) {
  const std::size_t scheme = proxy.find("://");
  const std::size_t start = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::size_t at = proxy.rfind('@');
  return at == std::string_view::npos || at < start ? std::string_view()
                                                    : proxy.substr(start, at - start);
}

bool is_port(std::string_view text) {
  const auto number = text::parse_unsigned(text);
  return number && *number > 0 && *number <= 65535;
}

bool is_host_and_port(std::string_view text) {
  const std::size_t end = text.starts_with('[') ? text.find(']') : text.find(':');
  if (text.starts_with('[')) {
    if (end == std::string_view::npos || !parse_ipv6(text.substr(1, end - 1))) return false;
    const std::string_view rest = text.substr(end + 1);
    return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
  }
  const std::string_view host = text.substr(0, end);
  const bool plain = std::ranges::all_of(host, [](char c) {
    const bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    return alnum || c == '.' || c == '-' || c == '_';
  });
  if (host.empty() || !plain) return false;
  return end == std::string_view::npos || is_port(text.substr(end + 1));
}

/// What curl takes for a proxy: SCHEME://USER:PASSWORD@HOST:PORT, of which the host alone must be.
bool is_proxy(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme != std::string_view::npos) {
    constexpr std::array<std::string_view, 6> kSchemes = {"http",    "https",  "socks4",
                                                          "socks4a", "socks5", "socks5h"};
    const std::string lower = text::to_lower(text.substr(0, scheme));
    if (std::ranges::find(kSchemes, lower) == kSchemes.end()) return false;
    text.remove_prefix(scheme + 3);
  }
  text = text.substr(0, text.find('/'));
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    text.remove_prefix(at + 1);
  }
  return is_host_and_port(text);
}

bool shares_prefix(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b,
                   unsigned long long bits) {
  if (a.size() != b.size() || bits > a.size() * 8) return false;
  for (std::size_t i = 0; i < bits; ++i) {
    const int bit = 7 - static_cast<int>(i % 8);
    if (((a[i / 8] ^ b[i / 8]) >> bit & 1) != 0) return false;
  }
  return true;
}

// "10.0.0.0/8", "fd00::/8", or an address alone.
bool matches_address(std::string_view entry, std::string_view host) {
  const std::size_t slash = entry.find('/');
  const auto bits = slash == std::string_view::npos ? Result<unsigned long long>(128ULL)
                                                    : text::parse_unsigned(entry.substr(slash + 1));
  if (!bits) return false;
  const std::string_view address = entry.substr(0, slash);
  const bool whole = slash == std::string_view::npos;
  if (const auto v4 = parse_ipv4(host)) {
    const auto net = parse_ipv4(address);
    return net && shares_prefix(*v4, *net, whole ? 32 : *bits);
  }
  const auto v6 = parse_ipv6(host);
  const auto net = parse_ipv6(address);
  return v6 && net && shares_prefix(*v6, *net, *bits);
}

// "example.com" and ".example.com" both stand for the domain and all below it.
bool matches_name(std::string_view entry, std::string_view host) {
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.ends_with('.')) entry.remove_suffix(1);
  if (entry.empty() || !host.ends_with(entry)) return false;
  return host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.';
}

}  // namespace

ProxySettings::Variable ProxySettings::first_of(const Environment& environment,
                                                std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (auto value = environment(name); value && !value->empty()) return {name, *value};
  }
  return {};
}

ProxySettings::ProxySettings(const Environment& environment)
    : http_(first_of(environment, {"http_proxy", "all_proxy", "ALL_PROXY"})),
      https_(first_of(environment, {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})),
      excluded_(text::to_lower(first_of(environment, {"no_proxy", "NO_PROXY"}).value)) {}

bool ProxySettings::is_excluded(std::string_view host) const {
  const bool is_address = classify_address(host).has_value();
  std::string_view rest = excluded_;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find_first_of(", \t"), rest.size());
    std::string_view entry = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (entry.empty()) continue;
    if (entry == "*") return true;
    if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
    if (is_address ? matches_address(entry, host) : matches_name(entry, host)) return true;
  }
  return false;
}

Result<std::string> ProxySettings::proxy_for(const Url& url) const {
  const Variable& proxy = url.origin().scheme == "https" ? https_ : http_;
  const std::string& host = url.origin().host;
  if (proxy.value.empty() || url_policy::classify_host(host) == AddressClass::loopback ||
      is_excluded(host)) {
    return std::string();
  }
  if (is_proxy(proxy.value)) return proxy.value;
  return Error(Errc::invalid_argument,
               fmt::format("{} is not the URL of a proxy: write http://host:port, with what is "
                           "special in a user's name or password as %XX",
                           proxy.name));
}

std::string without_user(std::string_view proxy) {
  return without_user_of(std::string(proxy), proxy);
}

std::string without_user_of(std::string words, std::string_view proxy) {
  const std::string_view user = user_part(proxy);
  if (user.empty()) return words;
  for (const std::string& secret : {std::string(user) + "@", std::string(user)}) {
    for (std::size_t at = words.find(secret); at != std::string::npos; at = words.find(secret)) {
      words.erase(at, secret.size());
    }
  }
  return words;
}

}  // namespace berth::http
