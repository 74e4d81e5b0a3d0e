// SPDX-License-Identifier: Apache-2.0
#include "berth/base/error_chain.hpp"

#include <cerrno>

#include <gtest/gtest.h>

namespace berth {
namespace {

Error answered(int status) {
  HttpInfo info;
  info.status = status;
  return Error(Errc::unavailable, "answered").with_http(std::move(info));
}

TEST(ErrorChainTest, TheNearestAnswerCounts) {
  const Error own = answered(503);
  EXPECT_EQ(answer_behind(own)->status, 503);
  const Error of_cause = Error(Errc::unavailable, "token").because(answered(429));
  EXPECT_EQ(answer_behind(of_cause)->status, 429);
  const Error both = answered(401).because(answered(503));
  EXPECT_EQ(answer_behind(both)->status, 401);
}

TEST(ErrorChainTest, NobodyMayHaveAnswered) {
  const Error error = Error(Errc::unavailable, "above").because(Error(Errc::io, "below"));
  EXPECT_EQ(answer_behind(error), nullptr);
}

TEST(ErrorChainTest, OnlyWhoeverTookNoConnectionWasNotReached) {
  for (const int why : {ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT}) {
    const Error gone = Error(Errc::unavailable, "gone").with_sys_errno(why);
    EXPECT_TRUE(reached_nobody(gone)) << why;
    EXPECT_TRUE(reached_nobody(Error(Errc::unavailable, "token").because(gone)));
  }
  EXPECT_FALSE(reached_nobody(Error(Errc::unavailable, "the connection broke")));
  EXPECT_FALSE(reached_nobody(Error::from_errno(ECONNRESET, "reading")));
  EXPECT_FALSE(reached_nobody(answered(503)));
}

}  // namespace
}  // namespace berth
