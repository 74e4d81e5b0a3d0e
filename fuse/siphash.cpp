// SPDX-License-Identifier: Apache-2.0
#include "siphash.hpp"

#include <bit>
#include <cstring>

#include "berth/base/fd.hpp"

namespace berth::fuse {
namespace {

struct State {
  std::uint64_t v0, v1, v2, v3;

  void round() noexcept {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void take(std::uint64_t word) noexcept {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

std::uint64_t little_endian(const char* bytes, std::size_t count) noexcept {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < count; ++i) {
    word |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return word;
}

}  // namespace

std::uint64_t siphash(const SipKey& key, std::string_view text) noexcept {
  State state{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
              key[1] ^ 0x7465646279746573};
  const std::size_t whole = text.size() / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) state.take(little_endian(text.data() + i, 8));
  state.take(little_endian(text.data() + whole, text.size() - whole) |
             (std::uint64_t{text.size()} << 56));
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

SipKey machine_key() {
  // machine-id(5) asks programs not to show the identifier itself: it is hashed first.
  constexpr SipKey kPurpose{0x62657274682d696e, 0x6f64652d6e756d73};
  const auto id = read_file("/etc/machine-id", 256);
  if (!id) return kPurpose;
  return {siphash(kPurpose, *id + "0"), siphash(kPurpose, *id + "1")};
}

}  // namespace berth::fuse
