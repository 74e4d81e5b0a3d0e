// SPDX-License-Identifier: Apache-2.0
#include "berth/base/error_chain.hpp"

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

}  // namespace
}  // namespace berth
