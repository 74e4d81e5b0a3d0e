// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "berth/acr/purge.hpp"

#include "support/matchers.hpp"

namespace berth::test {
namespace {

using namespace std::chrono_literals;
using acr::Timestamp;

TEST(AgoTest, DaysAndADurationOfGo) {
  using acr::parse_ago;
  EXPECT_THAT(parse_ago("2d3h6m"), IsOkAndHolds(Timestamp::Ticks(51h + 6min)));
  EXPECT_THAT(parse_ago("0d"), IsOkAndHolds(Timestamp::Ticks(0)));
  EXPECT_THAT(parse_ago("0"), IsOkAndHolds(Timestamp::Ticks(0)));
  EXPECT_THAT(parse_ago("1.5h"), IsOkAndHolds(Timestamp::Ticks(90min)));
  EXPECT_THAT(parse_ago("1m30s"), IsOkAndHolds(Timestamp::Ticks(90s)));
  EXPECT_THAT(parse_ago("250ms"), IsOkAndHolds(Timestamp::Ticks(250ms)));
  for (const char* text : {"", "d", "-1d", "1", "3h2d", "2x", "h", "1.5d", "1d 2h", "1..5h"}) {
    EXPECT_THAT(parse_ago(text), HasCode(Errc::invalid_argument)) << text;
  }
}

TEST(AgoTest, NothingIsOlderThan150Years) {
  using acr::parse_ago;
  EXPECT_THAT(parse_ago("54749d"), IsOkAndHolds(acr::kMostAgo - Timestamp::Ticks(24h)));
  for (const std::string& text :
       {std::string("54750d"), std::string("54751d1h"), std::string("99999999999999999999999d"),
        std::string("99999999999999999999h"), std::string(400, '9') + "d"}) {
    EXPECT_THAT(parse_ago(text), IsOkAndHolds(acr::kMostAgo)) << text;
  }
}

}  // namespace
}  // namespace berth::test
