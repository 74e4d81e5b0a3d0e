// SPDX-License-Identifier: Apache-2.0
#include "berth/acr/timestamp.hpp"

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace berth::acr {
namespace {

using test::HasCode;
using test::IsOk;

TEST(TimestampTest, GivesBackTheTextThatItRead) {
  for (const char* text :
       {"2023-03-07T02:03:10.3266287Z", "2023-03-08T01:25:09.319346Z", "2023-03-08T01:25:09.3Z",
        "2023-03-08T01:25:09.0000001Z", "2024-02-29T23:59:59Z", "1970-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z", "1969-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999Z"}) {
    const auto time = Timestamp::parse(text);
    ASSERT_THAT(time, IsOk()) << text;
    EXPECT_EQ(time->text(), text);
  }
}

TEST(TimestampTest, ReadsWhatElseRfc3339Allows) {
  const auto text = [](const char* from) { return Timestamp::parse(from)->text(); };
  EXPECT_EQ(text("2023-03-07T02:03:10.30Z"), "2023-03-07T02:03:10.3Z");
  EXPECT_EQ(text("2023-03-07T02:03:10.326628799Z"), "2023-03-07T02:03:10.3266287Z");
  EXPECT_EQ(text("2023-03-07t02:03:10+02:30"), "2023-03-06T23:33:10Z");
  EXPECT_EQ(text("2023-03-07T22:03:10-04:00"), "2023-03-08T02:03:10Z");
}

TEST(TimestampTest, RefusesTheRest) {
  for (const char* text :
       {"", "2023-03-07", "2023-03-07T02:03:10", "2023-02-29T02:03:10Z", "2023-13-07T02:03:10Z",
        "2023-03-07T24:03:10Z", "2023-03-07T02:03:10.Z", "2023-03-07T02:03:10Z ", "+023-03-07",
        "2023-03-07T02:03:10+25:00", "2023-03-07T02:03:1Z", "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:60Z"}) {
    EXPECT_THAT(Timestamp::parse(text), HasCode(Errc::corrupt)) << text;
  }
}

TEST(TimestampTest, ComparesToTheLastDigit) {
  const Timestamp a = *Timestamp::parse("2023-03-07T02:03:10.3266287Z");
  const Timestamp b = *Timestamp::parse("2023-03-07T02:03:10.3266288Z");
  EXPECT_LT(a, b);
  EXPECT_EQ((b.since_1970() - a.since_1970()).count(), 1);
  EXPECT_EQ(a.seconds(), b.seconds());
  EXPECT_EQ(Timestamp::parse("1969-12-31T23:59:59.5Z")->seconds().time_since_epoch().count(), -1);
  EXPECT_EQ(Timestamp::from(Clock::SystemTime()).text(), "1970-01-01T00:00:00Z");
}

}  // namespace
}  // namespace berth::acr
