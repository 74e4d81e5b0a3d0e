// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "berth/acr/purge.hpp"
#include "berth/base/text.hpp"

namespace berth::acr {
namespace {

constexpr double kSecond = 1e7;  // ticks

struct Unit {
  std::string_view name;
  double ticks;
};
// Longer names first: "ms" is no minutes.
constexpr std::array kUnits = {
    Unit{"ns", kSecond / 1e9},  Unit{"us", kSecond / 1e6}, Unit{"\u00b5s", kSecond / 1e6},
    Unit{"ms", kSecond / 1e3},  Unit{"s", kSecond},        Unit{"m", kSecond * 60},
    Unit{"h", kSecond * 3'600},
};

/// Takes a decimal number off the front.
std::optional<double> take_number(std::string_view& rest) {
  double value = 0;
  double place = 1;
  bool any = false;
  bool fraction = false;
  for (; !rest.empty(); rest.remove_prefix(1)) {
    const char c = rest[0];
    if (c == '.' && !fraction) {
      fraction = true;
      continue;
    }
    if (c < '0' || c > '9') break;
    any = true;
    if (fraction) place /= 10;
    value = fraction ? value + (c - '0') * place : value * 10 + (c - '0');
  }
  return any ? std::optional(value) : std::nullopt;
}

std::optional<double> take_unit(std::string_view& rest) {
  for (const Unit& unit : kUnits) {
    if (!rest.starts_with(unit.name)) continue;
    rest.remove_prefix(unit.name.size());
    return unit.ticks;
  }
  return std::nullopt;
}

std::optional<double> parse_go_duration(std::string_view rest) {
  if (rest == "0") return 0;
  double sum = 0;
  while (!rest.empty()) {
    const auto number = take_number(rest);
    const auto unit = number ? take_unit(rest) : std::nullopt;
    if (!unit) return std::nullopt;
    sum += *number * *unit;
  }
  return sum;
}

/// Whole ones, however many.
std::optional<double> parse_days(std::string_view text) {
  if (text.find('.') != std::string_view::npos) return std::nullopt;
  const auto days = take_number(text);
  return text.empty() ? days : std::nullopt;
}

std::optional<double> parse_ticks(std::string_view text) {
  const std::size_t d = text.find('d');
  if (d == std::string_view::npos) return parse_go_duration(text);
  const auto days = parse_days(text.substr(0, d));
  const auto time = parse_go_duration(text.substr(d + 1));
  if (!days || !time) return std::nullopt;
  return *days * 86'400 * kSecond + *time;
}

}  // namespace

Result<Timestamp::Ticks> parse_ago(std::string_view text) {
  const auto ticks = text.empty() ? std::nullopt : parse_ticks(text);
  if (!ticks) {
    return Error(Errc::invalid_argument,
                 fmt::format("'{}' is no age: it is like 2d3h6m", text::escape_for_terminal(text)));
  }
  if (*ticks >= static_cast<double>(kMostAgo.count())) return kMostAgo;
  return Timestamp::Ticks(static_cast<std::int64_t>(std::llround(*ticks)));
}

}  // namespace berth::acr
