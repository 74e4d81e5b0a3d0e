// SPDX-License-Identifier: Apache-2.0
#include "berth/base/limit.hpp"

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace berth::test {
namespace {

using ::testing::HasSubstr;

// S404
TEST(LimitTest, IsASizeOfAtLeastAMebibyteOrNone) {
  EXPECT_THAT(text::parse_limit("20G"), IsOkAndHolds(20ULL << 30));
  EXPECT_THAT(text::parse_limit("1048576"), IsOkAndHolds(1048576U));
  EXPECT_THAT(text::parse_limit("0"), IsOkAndHolds(0U));
}

TEST(LimitTest, SaysWhatWasProbablyMeant) {
  const auto bare = text::parse_limit(" 20 ");
  EXPECT_THAT(bare, HasCode(Errc::invalid_argument));
  EXPECT_EQ(bare.error().message(), "20 bytes are too small for a cache: say 20G");
  const auto many = text::parse_limit("1000000");
  EXPECT_THAT(many, HasCode(Errc::invalid_argument));
  EXPECT_EQ(many.error().message(), "1000000 bytes are too small for a cache: say 1M or more");
  const auto little = text::parse_limit("512K");
  EXPECT_THAT(little, HasCode(Errc::invalid_argument));
  EXPECT_EQ(little.error().message(), "512K is too small for a cache: say 1M or more");
  EXPECT_THAT(text::parse_limit("plenty").error().message(), HasSubstr("not a size"));
}

}  // namespace
}  // namespace berth::test
