// SPDX-License-Identifier: Apache-2.0
#include "http/proxy.hpp"

#include <algorithm>
#include <span>

#include "berth/base/text.hpp"
#include "berth/http/policy.hpp"

#include "http/ip_address.hpp"

namespace berth::http {
namespace {

std::string first_of(const Environment& environment, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (auto value = environment(name); value && !value->empty()) return *value;
  }
  return {};
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

ProxySettings::ProxySettings(const Environment& environment)
    : http_(first_of(environment, {"http_proxy", "all_proxy", "ALL_PROXY"})),
      https_(first_of(environment, {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})),
      excluded_(text::to_lower(first_of(environment, {"no_proxy", "NO_PROXY"}))) {}

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

std::string ProxySettings::proxy_for(const Url& url) const {
  const std::string& proxy = url.origin().scheme == "https" ? https_ : http_;
  const std::string& host = url.origin().host;
  if (proxy.empty() || url_policy::classify_host(host) == AddressClass::loopback) return {};
  return is_excluded(host) ? std::string() : proxy;
}

}  // namespace berth::http
