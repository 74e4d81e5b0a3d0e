// SPDX-License-Identifier: Apache-2.0
#include "berth/acr/timestamp.hpp"

#include <optional>

#include <fmt/format.h>

#include "berth/base/text.hpp"

namespace berth::acr {
namespace {

using std::chrono::floor;
using std::chrono::seconds;
using Ticks = Timestamp::Ticks;

constexpr int kDigits = 7;

/// Takes fixed-width parts off the front of a text; after a failure every answer is 0.
class Parts {
 public:
  explicit Parts(std::string_view rest)
      : rest_(rest) {}

  int number(std::size_t width, int lowest, int highest) {
    const auto value = rest_.size() < width ? std::nullopt : parse(rest_.substr(0, width));
    if (!value || *value < lowest || *value > highest) {
      fine_ = false;
      return 0;
    }
    rest_.remove_prefix(width);
    return *value;
  }
  char one_of(std::string_view allowed) {
    if (rest_.empty() || allowed.find(rest_[0]) == std::string_view::npos) {
      fine_ = false;
      return '\0';
    }
    const char taken = rest_[0];
    rest_.remove_prefix(1);
    return taken;
  }
  Ticks fraction() {
    if (!rest_.starts_with('.')) return Ticks(0);
    rest_.remove_prefix(1);
    std::int64_t ticks = 0;
    std::size_t digits = 0;
    for (; digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9'; ++digits) {
      if (digits < kDigits) ticks = ticks * 10 + (rest_[digits] - '0');
    }
    for (std::size_t i = digits; i < kDigits; ++i) ticks *= 10;
    fine_ = fine_ && digits != 0;
    rest_.remove_prefix(digits);
    return Ticks(ticks);
  }
  seconds offset() {
    const char sign = one_of("Zz+-");
    if (sign != '+' && sign != '-') return seconds(0);
    const std::chrono::hours hours(number(2, 0, 23));
    one_of(":");
    const seconds all = hours + std::chrono::minutes(number(2, 0, 59));
    return sign == '-' ? -all : all;
  }
  bool at_end() const noexcept { return fine_ && rest_.empty(); }

 private:
  static std::optional<int> parse(std::string_view digits) {
    const auto value = text::parse_unsigned(digits);
    return value ? std::optional(static_cast<int>(*value)) : std::nullopt;
  }

  std::string_view rest_;
  bool fine_ = true;
};

}  // namespace

Timestamp Timestamp::from(Clock::SystemTime time) {
  return Timestamp(floor<Ticks>(time.time_since_epoch()));
}

Result<Timestamp> Timestamp::parse(std::string_view text) {
  Parts parts(text);
  const std::chrono::year year(parts.number(4, 1, 9999));
  parts.one_of("-");
  const std::chrono::month month(static_cast<unsigned>(parts.number(2, 1, 12)));
  parts.one_of("-");
  const std::chrono::day day(static_cast<unsigned>(parts.number(2, 1, 31)));
  parts.one_of("Tt ");
  const std::chrono::hours hours(parts.number(2, 0, 23));
  parts.one_of(":");
  const std::chrono::minutes minutes(parts.number(2, 0, 59));
  parts.one_of(":");
  const std::chrono::seconds second(parts.number(2, 0, 60));
  const Ticks fraction = parts.fraction();
  const std::chrono::seconds offset = parts.offset();
  const std::chrono::year_month_day date(year, month, day);
  const auto refuse = [&] {
    return Error(Errc::corrupt, fmt::format("'{}' is not a time of RFC 3339",
                                            text::escape_for_terminal(text.substr(0, 64))));
  };
  if (!parts.at_end() || !date.ok()) return refuse();
  const std::chrono::seconds whole =
      std::chrono::sys_days(date).time_since_epoch() + hours + minutes + second - offset;
  // An offset, or a leap second, may lead out of the years that have four digits.
  using std::chrono::sys_days;
  using std::chrono::year_month_day;
  constexpr std::chrono::seconds kFirst =
      sys_days(year_month_day(std::chrono::year(1) / 1 / 1)).time_since_epoch();
  constexpr std::chrono::seconds kBehind =
      sys_days(year_month_day(std::chrono::year(10'000) / 1 / 1)).time_since_epoch();
  if (whole < kFirst || whole >= kBehind) return refuse();
  return Timestamp(Ticks(whole) + fraction);
}

std::chrono::sys_seconds Timestamp::seconds() const {
  return std::chrono::sys_seconds(floor<std::chrono::seconds>(ticks_));
}

std::string Timestamp::text() const {
  const std::chrono::sys_seconds whole = seconds();
  const auto days = floor<std::chrono::days>(whole);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss time(whole - days);
  std::string out =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  time.hours().count(), time.minutes().count(), time.seconds().count());
  const std::int64_t rest = (ticks_ - Ticks(whole.time_since_epoch())).count();
  if (rest != 0) {
    out += fmt::format(".{:07}", rest);
    out.erase(out.find_last_not_of('0') + 1);
  }
  return out + 'Z';
}

}  // namespace berth::acr
