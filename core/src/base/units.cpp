// SPDX-License-Identifier: Apache-2.0
// Sizes and times as text.
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "berth/base/text.hpp"

namespace berth::text {
namespace {

constexpr std::string_view kPrefixes = "kmgtpe";

Error not_a_size(std::string_view text) {
  return Error(Errc::invalid_argument,
               "'" + std::string(text) +
                   "' is not a size; write bytes, or a number with K, M, G, "
                   "T (1024) or KB, MB, GB, TB (1000), such as 10GiB");
}

/// What a unit multiplies by; 0 for none that exists. As GNU's tools: M and MiB are 1024², MB is
/// 1000².
double multiplier(std::string_view unit) {
  const std::string name = to_lower(unit);
  if (name.empty() || name == "b") return 1;
  const std::size_t power = kPrefixes.find(name[0]);
  const std::string_view rest = std::string_view(name).substr(1);
  if (power == std::string_view::npos || !(rest.empty() || rest == "b" || rest == "ib")) return 0;
  return std::pow(rest == "b" ? 1000.0 : 1024.0, static_cast<double>(power + 1));
}

/// Exactly `count` digits at `at`, which moves past them; -1 when they are not there.
int digits(std::string_view text, std::size_t& at, std::size_t count) {
  if (text.size() - std::min(at, text.size()) < count) return -1;
  int value = 0;
  for (std::size_t end = at + count; at < end; ++at) {
    if (text[at] < '0' || text[at] > '9') return -1;
    value = value * 10 + (text[at] - '0');
  }
  return value;
}

bool skip(std::string_view text, std::size_t& at, std::string_view any_of) {
  if (at >= text.size() || any_of.find(text[at]) == std::string_view::npos) return false;
  ++at;
  return true;
}

/// Seconds east of Greenwich; the text must end there.
std::optional<long long> parse_offset(std::string_view text, std::size_t at) {
  if (skip(text, at, "Zz")) return at == text.size() ? std::optional<long long>(0) : std::nullopt;
  const bool west = at < text.size() && text[at] == '-';
  if (!skip(text, at, "+-")) return std::nullopt;
  const int hours = digits(text, at, 2);
  const bool colon = skip(text, at, ":");
  const int minutes = digits(text, at, 2);
  if (!colon || hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || at != text.size()) {
    return std::nullopt;
  }
  const long long seconds = hours * 3600LL + minutes * 60LL;
  return west ? -seconds : seconds;
}

std::optional<long long> parse_day(std::string_view text, std::size_t& at) {
  const int year = digits(text, at, 4);
  const bool first = skip(text, at, "-");
  const int month = digits(text, at, 2);
  const bool second = skip(text, at, "-");
  const int day = digits(text, at, 2);
  if (year < 0 || month < 0 || day < 0 || !first || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

}  // namespace

std::string format_size(unsigned long long bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes);
  std::size_t power = 0;
  do {
    value /= 1024;
    ++power;
  } while (value >= 1023.95 && power < kPrefixes.size());  // 1023.95 would print as 1024.0
  std::array<char, 32> buffer{};
  const char prefix = static_cast<char>(kPrefixes[power - 1] - 'a' + 'A');
  const int length = std::snprintf(buffer.data(), buffer.size(), "%.1f %ciB", value, prefix);
  return {buffer.data(), static_cast<std::size_t>(length)};
}

Result<unsigned long long> parse_size(std::string_view text) {
  const std::string_view trimmed = trim(text);
  const std::size_t end = std::min(trimmed.find_first_not_of("0123456789."), trimmed.size());
  const std::string_view number = trimmed.substr(0, end);
  const double factor = multiplier(trim(trimmed.substr(end)));
  if (factor == 0) return not_a_size(text);
  if (factor == 1) {  // exact, beyond what a double holds; half a byte is refused
    Result<unsigned long long> whole = parse_unsigned(number);
    return whole ? whole : not_a_size(text);
  }
  double value = 0;
  const auto [rest, failure] = std::from_chars(number.data(), number.data() + number.size(), value,
                                               std::chars_format::fixed);
  if (failure != std::errc{} || rest != number.data() + number.size()) return not_a_size(text);
  const double bytes = value * factor;
  if (bytes >= 18446744073709551616.0) {
    return Error(Errc::invalid_argument, "'" + std::string(text) + "' is more than 16 EiB");
  }
  return static_cast<unsigned long long>(std::llround(std::floor(bytes)));
}

std::string format_rfc3339(long long unix_seconds) {
  // RFC 3339 has four digits for the year.
  constexpr long long kYear0 = -62167219200;
  constexpr long long kYear9999 = 253402300799;
  const std::chrono::sys_seconds time{
      std::chrono::seconds(std::clamp(unix_seconds, kYear0, kYear9999))};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::array<char, 64> buffer{};
  const int length = std::snprintf(
      buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()));
  return {buffer.data(), static_cast<std::size_t>(length)};
}

std::optional<long long> parse_rfc3339(std::string_view text) {
  std::size_t at = 0;
  const std::optional<long long> day = parse_day(text, at);
  if (!day || !skip(text, at, "Tt ")) return std::nullopt;
  const int hour = digits(text, at, 2);
  const bool first = skip(text, at, ":");
  const int minute = digits(text, at, 2);
  const bool second = skip(text, at, ":");
  const int seconds = digits(text, at, 2);
  if (!first || !second || hour < 0 || hour > 23 || minute < 0 || minute > 59 || seconds < 0 ||
      seconds > 60) {  // 60: a leap second
    return std::nullopt;
  }
  if (skip(text, at, ".")) {
    const std::size_t start = at;
    while (skip(text, at, "0123456789")) {
    }
    if (at == start) return std::nullopt;
  }
  const std::optional<long long> offset = parse_offset(text, at);
  if (!offset) return std::nullopt;
  return *day * 86400 + hour * 3600LL + minute * 60LL + seconds - *offset;
}

}  // namespace berth::text
