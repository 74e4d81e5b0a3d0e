// SPDX-License-Identifier: Apache-2.0
#include "http/ip_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace berth::http {
namespace {

template <std::size_t N>
bool starts_with(const Ipv6& address, const std::array<std::uint8_t, N>& prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.begin());
}

Ipv4 embedded(const Ipv6& address, std::size_t at) {
  return {address[at], address[at + 1], address[at + 2], address[at + 3]};
}

// An IPv6 address that a router or the kernel turns into an IPv4 one leads where that leads.
std::optional<Ipv4> ipv4_inside(const Ipv6& a) {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  constexpr std::array<std::uint8_t, 12> kCompatible{};
  constexpr std::array<std::uint8_t, 12> kTranslated{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0};
  constexpr std::array<std::uint8_t, 12> kNat64{0, 0x64, 0xff, 0x9b};
  if (starts_with(a, kMapped) || starts_with(a, kCompatible) || starts_with(a, kTranslated) ||
      starts_with(a, kNat64)) {
    return embedded(a, 12);
  }
  if (a[0] == 0x20 && a[1] == 0x02) return embedded(a, 2);       // 6to4
  if (a[0] == 0x20 && a[1] == 0x01 && a[2] == 0 && a[3] == 0) {  // Teredo
    Ipv4 client = embedded(a, 12);
    for (std::uint8_t& byte : client) byte = static_cast<std::uint8_t>(~byte);
    return client;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Ipv4> parse_ipv4(std::string_view text) {
  Ipv4 out{};
  const std::string copy(text);
  // glibc's inet_pton, unlike inet_aton, takes four decimal parts only and no leading zeros.
  if (copy.size() > 15 || ::inet_pton(AF_INET, copy.c_str(), out.data()) != 1) return std::nullopt;
  return out;
}

std::optional<Ipv6> parse_ipv6(std::string_view text) {
  Ipv6 out{};
  const std::string copy(text);
  if (copy.size() > 45 || ::inet_pton(AF_INET6, copy.c_str(), out.data()) != 1) {
    return std::nullopt;
  }
  return out;
}

std::string to_text(const Ipv6& address) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  ::inet_ntop(AF_INET6, address.data(), buffer.data(), buffer.size());
  return buffer.data();
}

bool ends_in_number(std::string_view host) noexcept {
  const std::string_view last = host.substr(host.rfind('.') + 1);  // npos + 1 is 0
  if (last.empty()) return false;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (std::all_of(last.begin(), last.end(), is_digit)) return true;
  if (last.size() < 2 || last[0] != '0' || (last[1] | 0x20) != 'x') return false;
  return std::all_of(last.begin() + 2, last.end(), [&](char c) {
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
  });
}

AddressClass classify(const Ipv4& a) noexcept {
  if (a[0] == 127 || a[0] == 0) return AddressClass::loopback;  // Linux: 0.0.0.0 is this machine
  if (a[0] == 169 && a[1] == 254) return AddressClass::link_local;
  // Azure's platform address answers each virtual machine with what is secret to it.
  if (a == Ipv4{168, 63, 129, 16}) return AddressClass::link_local;
  const bool is_private = a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) ||
                          (a[0] == 192 && a[1] == 168) ||
                          (a[0] == 100 && (a[1] & 0xc0) == 64) ||     // shared space, RFC 6598
                          (a[0] == 192 && a[1] == 0 && a[2] == 0) ||  // protocol assignments
                          (a[0] == 198 && (a[1] & 0xfe) == 18) ||     // benchmarking
                          a[0] >= 224;                                // multicast, reserved
  return is_private ? AddressClass::private_net : AddressClass::global;
}

AddressClass classify(const Ipv6& a) noexcept {
  Ipv6 one{};
  one[15] = 1;
  if (a == one || a == Ipv6{}) return AddressClass::loopback;
  if (const auto inside = ipv4_inside(a)) return classify(*inside);
  if (a[0] == 0xfe && (a[1] & 0xc0) == 0x80) return AddressClass::link_local;
  constexpr Ipv6 kAwsMetadata{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54};
  if (a == kAwsMetadata) return AddressClass::link_local;
  const bool is_private =
      (a[0] & 0xfe) == 0xfc ||                                      // unique local
      (a[0] == 0xfe && (a[1] & 0xc0) == 0xc0) ||                    // site-local, deprecated
      a[0] == 0xff ||                                               // multicast
      (a[0] == 0 && a[1] == 0x64 && a[2] == 0xff && a[3] == 0x9b);  // local NAT64
  return is_private ? AddressClass::private_net : AddressClass::global;
}

std::optional<AddressClass> classify(const sockaddr& address) noexcept {
  if (address.sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address, sizeof in);
    Ipv4 bytes{};
    std::memcpy(bytes.data(), &in.sin_addr, bytes.size());
    return classify(bytes);
  }
  if (address.sa_family == AF_INET6) {
    Ipv6 bytes{};
    std::memcpy(bytes.data(),
                reinterpret_cast<const char*>(&address) + offsetof(sockaddr_in6, sin6_addr),
                bytes.size());
    return classify(bytes);
  }
  return std::nullopt;
}

std::optional<AddressClass> classify_address(std::string_view text) {
  if (const auto v4 = parse_ipv4(text)) return classify(*v4);
  if (const auto v6 = parse_ipv6(text)) return classify(*v6);
  return std::nullopt;
}

bool is_localhost(std::string_view host) noexcept {
  constexpr std::string_view kName = "localhost";
  if (host == kName) return true;
  return host.size() > kName.size() && host.ends_with(kName) &&
         host[host.size() - kName.size() - 1] == '.';
}

}  // namespace berth::http
