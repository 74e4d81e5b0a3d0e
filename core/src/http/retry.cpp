// SPDX-License-Identifier: Apache-2.0
#include <time.h>

#include <algorithm>
#include <array>
#include <string>

#include "berth/base/text.hpp"
#include "berth/http/limits.hpp"
#include "berth/http/policy.hpp"

namespace berth::http {
namespace {

using std::chrono::milliseconds;

std::optional<int> month_number(std::string_view name) {
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (name.size() != 3) return std::nullopt;
  const std::size_t at = kMonths.find(name);
  if (at == std::string_view::npos || at % 3 != 0) return std::nullopt;
  return static_cast<int>(at / 3);
}

std::optional<int> number(std::string_view text, int highest) {
  const auto value = text::parse_unsigned(text);
  if (!value || *value > static_cast<unsigned>(highest)) return std::nullopt;
  return static_cast<int>(*value);
}

// "Sun, 06 Nov 1994 08:49:37 GMT". Only this form: the two obsolete ones have not been seen from a
// registry, and strptime() reads the names of months in the language of the user.
std::optional<Clock::SystemTime> parse_http_date(std::string_view text) {
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT") {
    return std::nullopt;
  }
  if (text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':') {
    return std::nullopt;
  }
  const auto day = number(text.substr(5, 2), 31);
  const auto month = month_number(text.substr(8, 3));
  const auto year = number(text.substr(12, 4), 9999);
  const auto hour = number(text.substr(17, 2), 23);
  const auto minute = number(text.substr(20, 2), 59);
  const auto second = number(text.substr(23, 2), 60);
  if (!day || !month || !year || !hour || !minute || !second) return std::nullopt;
  std::tm fields{};
  fields.tm_mday = *day;
  fields.tm_mon = *month;
  fields.tm_year = *year - 1900;
  fields.tm_hour = *hour;
  fields.tm_min = *minute;
  fields.tm_sec = *second;
  return std::chrono::system_clock::from_time_t(::timegm(&fields));
}

}  // namespace

milliseconds RetryPolicy::delay(int attempt, std::optional<milliseconds> retry_after,
                                double random01) const {
  if (retry_after) {
    return std::clamp(*retry_after, milliseconds(0), milliseconds(limits::kRetryAfterCap));
  }
  milliseconds most = first_delay;
  for (int i = 2; i < attempt && most < max_delay; ++i) most *= 2;
  most = std::min(most, max_delay);
  return milliseconds(static_cast<milliseconds::rep>(static_cast<double>(most.count()) * random01));
}

std::optional<milliseconds> parse_retry_after(std::string_view value, Clock::SystemTime now) {
  value = text::trim(value);
  constexpr unsigned long long kYear = 366ULL * 24 * 3600;
  if (const auto seconds = text::parse_unsigned(value)) {
    return std::chrono::seconds(std::min(*seconds, kYear));
  }
  const auto date = parse_http_date(value);
  if (!date) return std::nullopt;
  return std::max(std::chrono::ceil<milliseconds>(*date - now), milliseconds(0));
}

std::optional<milliseconds> asked_wait(const Headers& headers, Clock::SystemTime now) {
  constexpr unsigned long long kYear = 366ULL * 24 * 3600 * 1000;
  for (const char* name : {"retry-after-ms", "x-ms-retry-after-ms"}) {
    const std::string* value = headers.find(name);
    if (value == nullptr) continue;
    const auto number = text::parse_unsigned(text::trim(*value));
    if (number) return milliseconds(std::min(*number, kYear));
  }
  const std::string* value = headers.find("Retry-After");
  return value != nullptr ? parse_retry_after(*value, now) : std::nullopt;
}

}  // namespace berth::http
