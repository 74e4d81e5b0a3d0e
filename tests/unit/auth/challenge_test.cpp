// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/challenge.hpp"

#include <gmock/gmock.h>

namespace berth::auth {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(ChallengeTest, ReadsABearerChallenge) {
  const auto all = parse_challenges(
      R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",)"
      R"(scope="repository:library/a:pull,push")");
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].scheme, "bearer");
  EXPECT_EQ(all[0].parameter("realm"), "https://auth.docker.io/token");
  EXPECT_EQ(all[0].parameter("service"), "registry.docker.io");
  EXPECT_EQ(all[0].parameter("scope"), "repository:library/a:pull,push");
  EXPECT_EQ(all[0].parameter("error"), "");
}

TEST(ChallengeTest, ReadsSeveralInOneHeader) {
  const auto all = parse_challenges(
      R"(Negotiate YII/abc==, Basic realm="a, b=c", charset="UTF-8" , Bearer realm="x", Digest)");
  ASSERT_THAT(all, SizeIs(4));
  EXPECT_EQ(all[0].scheme, "negotiate");
  EXPECT_THAT(all[0].parameters, IsEmpty());
  EXPECT_EQ(all[1].scheme, "basic");
  EXPECT_EQ(all[1].parameter("realm"), "a, b=c");
  EXPECT_EQ(all[1].parameter("charset"), "UTF-8");
  EXPECT_EQ(all[2].parameter("realm"), "x");
  EXPECT_EQ(all[3].scheme, "digest");
}

TEST(ChallengeTest, NamesAreWithoutCaseAndSpacesAreFree) {
  const auto all = parse_challenges("  BEARER   Realm = \"x\" ,\t SERVICE=y ");
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].scheme, "bearer");
  EXPECT_EQ(all[0].parameter("realm"), "x");
  EXPECT_EQ(all[0].parameter("service"), "y");
}

TEST(ChallengeTest, UnescapesQuotedPairs) {
  const auto all = parse_challenges(R"(Basic realm="say \"hi\" \\ there")");
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].parameter("realm"), R"(say "hi" \ there)");
}

TEST(ChallengeTest, TakesAnUrlWithoutQuotes) {
  const auto all = parse_challenges("Bearer realm=https://r.example/token?a=b,service=s");
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].parameter("realm"), "https://r.example/token?a=b");
  EXPECT_EQ(all[0].parameter("service"), "s");
}

TEST(ChallengeTest, TheFirstOfTwoEqualParametersCounts) {
  const auto all = parse_challenges(R"(Bearer realm="first",realm="second")");
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].parameter("realm"), "first");
}

TEST(ChallengeTest, BrokenTextGivesWhatCameBefore) {
  const auto cut = parse_challenges(R"(Bearer service="s",realm="https://r.exa)");
  ASSERT_THAT(cut, SizeIs(1));
  EXPECT_EQ(cut[0].parameter("service"), "s");
  EXPECT_EQ(cut[0].parameter("realm"), "");
  EXPECT_THAT(parse_challenges(""), IsEmpty());
  EXPECT_THAT(parse_challenges(" , ,,"), IsEmpty());
  EXPECT_THAT(parse_challenges("=\"x\""), IsEmpty());
  EXPECT_THAT(parse_challenges("realm=\"x\""), IsEmpty());
  EXPECT_THAT(parse_challenges("\"\\"), IsEmpty());
  EXPECT_THAT(parse_challenges("Basic \x01 realm=\"x\""), SizeIs(1));
  EXPECT_THAT(parse_challenges("Basic realm=\"\\"), SizeIs(1));
}

TEST(ChallengeTest, IsBounded) {
  std::string schemes;
  std::string parameters = "Bearer a=b";
  for (int i = 0; i < 10'000; ++i) {
    schemes += "Basic,";
    parameters += ",a=b";
  }
  EXPECT_THAT(parse_challenges(schemes), SizeIs(16));
  const auto one = parse_challenges(parameters);
  ASSERT_THAT(one, SizeIs(1));
  EXPECT_THAT(one[0].parameters, SizeIs(32));
}

}  // namespace
}  // namespace berth::auth
