// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "berth/http/address.hpp"

namespace berth::http {

using Ipv4 = std::array<std::uint8_t, 4>;
using Ipv6 = std::array<std::uint8_t, 16>;

/// Four decimal parts without leading zeros, as RFC 3986 has it; nothing else that inet_aton takes.
std::optional<Ipv4> parse_ipv4(std::string_view text);
/// Without brackets and without a zone.
std::optional<Ipv6> parse_ipv6(std::string_view text);
/// The canonical text (RFC 5952) of an address.
std::string to_text(const Ipv6& address);

/// Would a resolver read this host as a number ("127.1", "0x7f000001", "2130706433")? True for
/// proper IPv4 as well.
bool ends_in_number(std::string_view host) noexcept;

AddressClass classify(const Ipv4& address) noexcept;
AddressClass classify(const Ipv6& address) noexcept;
/// nullopt for a family that is not IP.
std::optional<AddressClass> classify(const sockaddr& address) noexcept;
/// Of an address in text; nullopt when it is none.
std::optional<AddressClass> classify_address(std::string_view text);

/// "localhost" and names below it (RFC 6761 section 6.3).
bool is_localhost(std::string_view host) noexcept;

}  // namespace berth::http
