// SPDX-License-Identifier: Apache-2.0
#include "auth/token_answer.hpp"

#include <algorithm>
#include <ctime>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"
#include "berth/json/value.hpp"

#include "auth/identity_rules.hpp"

namespace berth::auth {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

/// Year 2100: what is beyond it is no time but a mistake.
constexpr std::int64_t kLatest = 4'102'444'800;
constexpr seconds kLongLife = hours(2);

std::optional<std::int64_t> as_seconds(const json::Value& value) {
  std::optional<std::int64_t> number;
  if (const auto whole = value.as_int()) {
    number = *whole;
  } else if (const auto text = value.as_string()) {
    if (const auto digits = text::parse_unsigned(text::trim(*text));
        digits && *digits <= static_cast<unsigned long long>(kLatest)) {
      number = static_cast<std::int64_t>(*digits);
    }
  }
  if (!number || *number < 0 || *number > kLatest) return std::nullopt;
  return number;
}

std::optional<seconds> duration(const json::Value& root, std::string_view name) {
  const auto value = root.find(name);
  const auto number = value ? as_seconds(*value) : std::nullopt;
  return number ? std::optional(seconds(*number)) : std::nullopt;
}

std::optional<Clock::SystemTime> end_of(const json::Value& root, Clock::SystemTime now) {
  if (const auto on = root.find("expires_on")) {
    if (const auto number = as_seconds(*on)) {
      return std::chrono::system_clock::from_time_t(*number);
    }
    const auto text = on->as_string();
    if (const auto date = text ? parse_token_date(*text) : std::nullopt) return date;
  }
  if (const auto life = duration(root, "expires_in")) return now + *life;
  return std::nullopt;
}

}  // namespace

std::optional<Clock::SystemTime> parse_token_date(std::string_view given) {
  if (const auto time = text::parse_rfc3339(given)) {
    return std::chrono::system_clock::from_time_t(*time);
  }
  const std::string text(given.substr(0, 40));
  for (const char* form : {"%m/%d/%Y %I:%M:%S %p +00:00", "%m/%d/%Y %H:%M:%S +00:00"}) {
    std::tm fields{};
    const char* end = ::strptime(text.c_str(), form, &fields);
    if (end != nullptr && *end == '\0') {
      return std::chrono::system_clock::from_time_t(::timegm(&fields));
    }
  }
  return std::nullopt;
}

Result<AccessToken> parse_token_answer(std::string_view body, Clock::SystemTime now) {
  const json::Document document =
      TRY(json::Document::parse(body, {.bytes = http::limits::kTokenBody, .depth = 16}));
  const json::Value root = document.root();
  std::string token = TRY(root.string_or_empty("access_token"));
  const bool fine =
      !token.empty() && std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; });
  if (!fine) return Error(Errc::corrupt, "the answer holds no usable access_token");
  const auto end = end_of(root, now);
  if (!end) return Error(Errc::corrupt, "the answer does not say when its token ends");
  AccessToken answer{.token = Secret(std::move(token)), .expires_on = *end, .refresh_on = {}};
  const auto life = *end - now;
  if (const auto refresh = duration(root, "refresh_in"); refresh && *refresh < life) {
    answer.refresh_on = now + *refresh;
  } else if (life > kLongLife) {
    answer.refresh_on = now + life / 2;
  }
  return answer;
}

TokenRefusal parse_token_refusal(std::string_view body) {
  TokenRefusal refusal;
  const auto document =
      json::Document::parse(body, {.bytes = http::limits::kErrorBody, .depth = 16});
  if (!document) return refusal;
  const json::Value root = document->root();
  const auto take = [&](std::string_view name) {
    const auto text = root.string_or_empty(name);
    return text ? first_line(*text) : std::string();
  };
  refusal.error = take("error");
  refusal.description = take("error_description");
  refusal.correlation_id = take("correlation_id");
  if (refusal.description.starts_with("AADSTS")) {
    const std::size_t end = refusal.description.find_first_not_of("0123456789", 6);
    refusal.code = refusal.description.substr(0, end);
  }
  return refusal;
}

}  // namespace berth::auth
