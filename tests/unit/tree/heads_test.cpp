// SPDX-License-Identifier: Apache-2.0
#include "tree/heads.hpp"

#include <cerrno>

#include <gtest/gtest.h>

#include "unit/tree/fake_sources.hpp"

namespace berth::test {
namespace {

/// Of a listed folder with the tags a to d, which nobody reads ahead.
class HeadsTest : public ::testing::Test {
 protected:
  HeadsTest() { heads.listed(place, tags); }

  static Error answered(Errc code, int status) {
    HttpInfo info;
    info.status = status;
    return Error(code, "answered").with_http(std::move(info));
  }
  bool is_resting() { return heads.failure(place).has_value(); }

  const Error closed = answered(Errc::unavailable, 503);
  const Error nobody = Error(Errc::unavailable, "cannot connect").with_sys_errno(ECONNREFUSED);
  const Error too_many = answered(Errc::rate_limited, 429);
  const tree::Place place{"r.example", "a"};
  const tree::NameListPtr tags =
      std::make_shared<const tree::NameList>(tree::NameList{{"a", "b", "c", "d"}});
  TestClock clock;
  tree::Heads heads{1, clock, std::chrono::seconds(5),
                    [](const auto&, const auto&, const auto&) -> Result<void> { return {}; }};
};

TEST_F(HeadsTest, S400_TwoTagsProveWhatOneDoesNot) {
  for (const Error& error : {closed, nobody}) {
    heads.failed(place, "a", error);
    EXPECT_FALSE(is_resting());
    heads.failed(place, "a", error);
    EXPECT_FALSE(is_resting()) << "the same tag again says nothing of the others";
    heads.failed(place, "b", error);
    EXPECT_TRUE(is_resting());
    clock.advance(std::chrono::seconds(6));
    EXPECT_FALSE(is_resting());
    heads.failed(place, "b", error);
    EXPECT_TRUE(is_resting()) << "nothing has changed";
    heads.refresh();
  }
  heads.failed(place, "a", too_many);
  EXPECT_TRUE(is_resting()) << "at once";
}

TEST_F(HeadsTest, S408_WhatIsOfOneTagIsNoProof) {
  const Error dropped(Errc::unavailable, "the connection broke before an answer came");
  for (const Error& error : {dropped, answered(Errc::unavailable, 500),
                             answered(Errc::unavailable, 502), answered(Errc::denied, 403)}) {
    for (const char* tag : {"a", "b", "c"}) heads.failed(place, tag, error);
    EXPECT_FALSE(is_resting()) << error.describe();
  }
  heads.failed(place, "a", closed);
  heads.failed(place, "b", nobody);
  EXPECT_FALSE(is_resting()) << "two things are wrong, each with one tag";
}

TEST_F(HeadsTest, S408_ASuccessBetweenTwoFailuresClearsTheOthers) {
  heads.failed(place, "a", closed);
  heads.answered(place, "d");
  heads.failed(place, "b", closed);
  EXPECT_FALSE(is_resting());
  heads.failed(place, "a", closed);
  EXPECT_FALSE(is_resting()) << "it is known to be broken by itself";
  heads.failed(place, "c", closed);
  EXPECT_TRUE(is_resting());
  heads.answered(place, "d");
  EXPECT_FALSE(is_resting()) << "one was on its way";
  heads.failed(place, "a", too_many);
  heads.answered(place, "d");
  EXPECT_TRUE(is_resting()) << "it was let through before that";
}

TEST_F(HeadsTest, S400_ListedAgainMeanwhileItStillRests) {
  heads.failed(place, "a", closed);
  heads.listed(place, std::make_shared<const tree::NameList>(*tags));
  heads.failed(place, "b", closed);
  EXPECT_TRUE(is_resting());
  heads.listed(place, std::make_shared<const tree::NameList>(*tags));
  EXPECT_TRUE(is_resting());
}

}  // namespace
}  // namespace berth::test
