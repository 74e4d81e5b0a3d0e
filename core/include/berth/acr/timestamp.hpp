// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <ratio>
#include <string>
#include <string_view>

#include "berth/base/clock.hpp"
#include "berth/base/result.hpp"

namespace berth::acr {

/// A point in time as ACR tells it: in UTC, to 100 nanoseconds (".NET ticks"), the years 1 to 9999.
/// None of the seven digits is lost, so what was read is written back as the same text. A value.
class Timestamp {
 public:
  using Ticks = std::chrono::duration<std::int64_t, std::ratio<1, 10'000'000>>;

  constexpr Timestamp() = default;  ///< 1970-01-01T00:00:00Z
  constexpr explicit Timestamp(Ticks since_1970)
      : ticks_(since_1970) {}
  /// Cut down to ticks.
  static Timestamp from(Clock::SystemTime time);
  /// RFC 3339 with any offset; digits beyond the seventh are dropped. Errc::corrupt else.
  static Result<Timestamp> parse(std::string_view text);

  constexpr Ticks since_1970() const noexcept { return ticks_; }
  /// For what takes whole seconds: an mtime.
  std::chrono::sys_seconds seconds() const;
  /// "2023-03-07T02:03:10.3266287Z". As the service writes it: without zeros at the fraction's end.
  std::string text() const;

  friend constexpr auto operator<=>(const Timestamp&, const Timestamp&) = default;

 private:
  Ticks ticks_{0};
};

}  // namespace berth::acr
