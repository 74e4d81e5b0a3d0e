// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace berth::fuse {

/// SipHash-2-4 (Aumasson and Bernstein, 2012), a keyed hash: who does not know the key cannot make
/// texts that collide. Inode numbers are made of it.
using SipKey = std::array<std::uint64_t, 2>;
std::uint64_t siphash(const SipKey& key, std::string_view text) noexcept;

/// A key that is the same for every mount of this machine, so that inode numbers survive a remount
/// (tar, rsync and make remember them), and that no registry knows: from /etc/machine-id. A
/// constant where there is none.
SipKey machine_key();

}  // namespace berth::fuse
