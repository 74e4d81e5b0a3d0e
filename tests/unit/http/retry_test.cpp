// SPDX-License-Identifier: Apache-2.0
#include <chrono>

#include <gtest/gtest.h>

#include "berth/http/limits.hpp"
#include "berth/http/policy.hpp"

namespace berth::http {
namespace {

using namespace std::chrono_literals;

TEST(RetryPolicyTest, GrowsExponentiallyUpToItsMost) {
  const RetryPolicy policy{.attempts = 9, .first_delay = 100ms, .max_delay = 1000ms};
  EXPECT_EQ(policy.delay(2, std::nullopt, 1.0), 100ms);
  EXPECT_EQ(policy.delay(3, std::nullopt, 1.0), 200ms);
  EXPECT_EQ(policy.delay(5, std::nullopt, 1.0), 800ms);
  EXPECT_EQ(policy.delay(6, std::nullopt, 1.0), 1000ms);
  EXPECT_EQ(policy.delay(1'000'000, std::nullopt, 1.0), 1000ms);
}

TEST(RetryPolicyTest, JitterIsFull) {
  const RetryPolicy policy{.first_delay = 100ms};
  EXPECT_EQ(policy.delay(3, std::nullopt, 0.0), 0ms);
  EXPECT_EQ(policy.delay(3, std::nullopt, 0.5), 100ms);
}

TEST(RetryPolicyTest, RetryAfterComesFirstAndIsCapped) {
  const RetryPolicy policy;
  EXPECT_EQ(policy.delay(2, 7000ms, 0.1), 7s);
  EXPECT_EQ(policy.delay(2, 0ms, 1.0), 0ms);
  EXPECT_EQ(policy.delay(2, 1h, 0.1), limits::kRetryAfterCap);
}

TEST(RetryAfterTest, ReadsSecondsAndDates) {
  const auto now = Clock::SystemTime(784111777s);  // Sun, 06 Nov 1994 08:49:37 GMT
  EXPECT_EQ(parse_retry_after("120", now), 120s);
  EXPECT_EQ(parse_retry_after(" 0 ", now), 0s);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:50:07 GMT", now), 30s);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now + 500ms), 0s);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:38 GMT", now + 500ms), 500ms);
  EXPECT_EQ(parse_retry_after("Thu, 01 Jan 1970 00:00:00 GMT", now), 0s);
  EXPECT_GT(*parse_retry_after("99999999999999", now), 1h);
}

TEST(RetryAfterTest, AzuresMillisecondsComeFirst) {
  const auto wait = [](std::initializer_list<std::pair<const char*, const char*>> fields) {
    Headers headers;
    for (const auto& [name, value] : fields) headers.add(name, value);
    return asked_wait(headers, {});
  };
  EXPECT_EQ(wait({}), std::nullopt);
  EXPECT_EQ(wait({{"Retry-After", "2"}}), 2s);
  EXPECT_EQ(wait({{"Retry-After", "2"}, {"retry-after-ms", "300"}}), 300ms);
  EXPECT_EQ(wait({{"X-Ms-Retry-After-Ms", " 40 "}}), 40ms);
  EXPECT_EQ(wait({{"retry-after-ms", "soon"}, {"Retry-After", "2"}}), 2s);
}

TEST(RetryAfterTest, IgnoresUnusableText) {
  const Clock::SystemTime now{};
  for (const char* text : {"", "880us", "-1", "1.5", "soon", "Sun, 06 Nov 1994 08:49:37 CET",
                           "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
                           "Sunday, 06-Nov-94 08:49:37 GMT", "99999999999999999999999999"}) {
    EXPECT_EQ(parse_retry_after(text, now), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace berth::http
