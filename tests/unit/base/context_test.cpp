// SPDX-License-Identifier: Apache-2.0
#include "berth/base/context.hpp"

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using test::HasCode;
using test::IsOk;

TEST(ContextTest, TheDefaultNeverEnds) {
  const Context context;
  EXPECT_THAT(context.check(), IsOk());
  EXPECT_EQ(context.deadline(), std::nullopt);
  EXPECT_EQ(context.remaining(7s), 7s);
  EXPECT_FALSE(context.is_nonblocking());
}

TEST(ContextTest, EndsAtItsDeadline) {
  EXPECT_THAT(Context().with_timeout(1h).check(), IsOk());
  const Context over = Context().with_timeout(-1ns);
  EXPECT_THAT(over.check(), HasCode(Errc::timeout));
  EXPECT_EQ(over.remaining(1s), 0s);
}

TEST(ContextTest, TheEarlierDeadlineCounts) {
  const Context context = Context().with_timeout(1min);
  EXPECT_EQ(context.with_timeout(1h).deadline(), context.deadline());
  EXPECT_LT(context.with_timeout(1s).deadline(), context.deadline());
  EXPECT_LE(context.remaining(1h), 1min);
}

TEST(ContextTest, ATimeoutWithoutEndIsNone) {
  EXPECT_THAT(Context().with_timeout(nanoseconds::max()).check(), IsOk());
}

TEST(ContextTest, EndsWhenStopped) {
  std::stop_source source;
  const Context context = Context().with_timeout(1h).with_stop(source.get_token());
  EXPECT_THAT(context.check(), IsOk());
  source.request_stop();
  EXPECT_THAT(context.check(), HasCode(Errc::cancelled));
}

TEST(ContextTest, CancellationIsToldBeforeTheDeadline) {
  std::stop_source source;
  source.request_stop();
  EXPECT_THAT(Context().with_timeout(-1s).with_stop(source.get_token()).check(),
              HasCode(Errc::cancelled));
}

TEST(ContextTest, WithChangesOnlyTheCopy) {
  const Context context;
  EXPECT_TRUE(context.nonblocking().with_timeout(1s).is_nonblocking());
  EXPECT_FALSE(context.is_nonblocking());
}

}  // namespace
}  // namespace berth
