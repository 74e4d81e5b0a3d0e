// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "cache/map_file.hpp"

namespace berth::cache {

/// How fast chunks grow that somebody else fills, as one who waits for them sees it: who needs a
/// chunk looks again and again, and after kStall knows its rate. Nothing of it is written down, so
/// that each process judges by what it saw itself. Not thread safe.
class SlowWatch {
 public:
  /// Bytes a second over at least the last kStall; nullopt: not looked at for so long yet. `now` in
  /// ns of the steady clock.
  std::optional<std::uint64_t> look(std::uint64_t index, const Chunk& chunk, std::int64_t now);
  /// It is ours, or full.
  void forget(std::uint64_t index) { seen_.erase(index); }

 private:
  struct Seen {
    std::int64_t since = 0;  ///< with `written`: where the rate is measured from
    std::int64_t last = 0;
    std::uint32_t written = 0;
    std::uint16_t generation = 0;
    std::optional<std::uint64_t> rate;
  };
  std::unordered_map<std::uint64_t, Seen> seen_;
};

}  // namespace berth::cache
