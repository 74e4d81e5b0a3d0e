// SPDX-License-Identifier: Apache-2.0
#include "cache/slow_watch.hpp"

#include <chrono>

#include "berth/cache/partial.hpp"

namespace berth::cache {
namespace {

using std::chrono::nanoseconds;
constexpr std::int64_t kSecond = nanoseconds(std::chrono::seconds(1)).count();
// Nobody looked for this long: what was seen before says nothing about who fills it now.
constexpr std::int64_t kForgotten = 2 * kSecond;

}  // namespace

std::optional<std::uint64_t> SlowWatch::look(std::uint64_t index, const Chunk& chunk,
                                             std::int64_t now) {
  std::erase_if(seen_, [now](const auto& entry) {
    return now - entry.second.last > kForgotten || now < entry.second.last;
  });
  const auto [at, is_new] = seen_.try_emplace(index);
  Seen& seen = at->second;
  if (is_new || seen.generation != chunk.generation || chunk.written < seen.written) {
    seen = {now, now, chunk.written, chunk.generation, std::nullopt};
  }
  seen.last = now;
  const std::int64_t elapsed = now - seen.since;
  if (elapsed <= 0 || elapsed < nanoseconds(kStall).count()) return seen.rate;
  const std::uint64_t grown = chunk.written - seen.written;
  seen.rate = grown * static_cast<std::uint64_t>(kSecond) / static_cast<std::uint64_t>(elapsed);
  seen.since = now;
  seen.written = chunk.written;
  return seen.rate;
}

}  // namespace berth::cache
