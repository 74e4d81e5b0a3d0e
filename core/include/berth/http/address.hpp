// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>

namespace berth::http {

/// How far away an IP address is; what the URL policy decides by.
enum class AddressClass : unsigned char { global, private_net, link_local, loopback };

/// A set of address classes.
class AddressClasses {
 public:
  constexpr AddressClasses() = default;
  constexpr AddressClasses(std::initializer_list<AddressClass> classes) {
    for (const AddressClass one : classes) bits_ |= bit(one);
  }
  constexpr bool contains(AddressClass one) const noexcept { return (bits_ & bit(one)) != 0; }
  constexpr bool empty() const noexcept { return bits_ == 0; }
  constexpr AddressClasses operator|(AddressClasses other) const noexcept {
    AddressClasses both;
    both.bits_ = bits_ | other.bits_;
    return both;
  }
  friend constexpr bool operator==(AddressClasses, AddressClasses) = default;

 private:
  static constexpr unsigned bit(AddressClass one) noexcept {
    return 1U << static_cast<unsigned>(one);
  }
  unsigned bits_ = 0;
};

}  // namespace berth::http
