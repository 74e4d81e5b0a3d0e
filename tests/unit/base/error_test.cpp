// SPDX-License-Identifier: Apache-2.0
#include "berth/base/error.hpp"

#include <cerrno>
#include <set>

#include <gtest/gtest.h>

#include "berth/base/result.hpp"
#include "berth/base/try.hpp"

namespace berth {
namespace {

TEST(ErrorTest, EveryCodeHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
    names.insert(to_string(static_cast<Errc>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Errc::internal) + 1);
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(to_string(Errc::digest_mismatch), "digest_mismatch");
}

TEST(ErrorTest, FromErrnoPicksTheCodeAndAppendsTheText) {
  const Error error = Error::from_errno(ENOENT, "cannot open 'a'");
  EXPECT_EQ(error.code(), Errc::not_found);
  EXPECT_EQ(error.message(), "cannot open 'a': No such file or directory");
  EXPECT_EQ(error.sys_errno(), ENOENT);
}

TEST(ErrorTest, WhatIsWrongHereStaysMarkedAsThatAbove) {
  EXPECT_FALSE(Error(Errc::denied, "x").is_local());
  EXPECT_FALSE(Error::from_errno(EACCES, "x").is_local());
  const Error error = Error(Errc::denied, "x").local();
  EXPECT_TRUE(error.is_local());
  EXPECT_TRUE(Error(error).with_context("above").is_local());
}

TEST(ErrorTest, FromErrnoTellsAFullDiskFromABrokenOne) {
  EXPECT_EQ(Error::from_errno(ENOSPC, "x").code(), Errc::no_space);
  EXPECT_EQ(Error::from_errno(EDQUOT, "x").code(), Errc::no_space);
  EXPECT_EQ(Error::from_errno(EIO, "x").code(), Errc::io);
  EXPECT_EQ(Error::from_errno(EACCES, "x").code(), Errc::denied);
  EXPECT_EQ(Error::from_errno(EEXIST, "x").code(), Errc::conflict);
  EXPECT_EQ(Error::from_errno(ECONNREFUSED, "x").code(), Errc::unavailable);
}

TEST(ErrorTest, ASilentPeerIsNotTheCallersTimeout) {
  EXPECT_EQ(Error::from_errno(ETIMEDOUT, "x").code(), Errc::unavailable);
}

TEST(ErrorTest, OnlyPassingTroubleIsRetryableByItself) {
  EXPECT_TRUE(Error(Errc::rate_limited, "x").is_retryable());
  EXPECT_TRUE(Error(Errc::unavailable, "x").is_retryable());
  EXPECT_FALSE(Error(Errc::timeout, "x").is_retryable());
  EXPECT_FALSE(Error(Errc::denied, "x").is_retryable());
  EXPECT_FALSE(Error(Errc::unavailable, "x").retryable(false).is_retryable());
  EXPECT_TRUE(Error(Errc::io, "x").retryable(true).is_retryable());
}

TEST(ErrorTest, ContextStandsBeforeTheMessage) {
  const Error error = Error(Errc::corrupt, "size is missing").with_context("layers[2]");
  EXPECT_EQ(error.message(), "layers[2]: size is missing");
  EXPECT_EQ(error.code(), Errc::corrupt);
}

TEST(ErrorTest, DescribeJoinsTheCausesInOneLine) {
  const Error error =
      Error(Errc::unavailable, "cannot pull")
          .because(Error(Errc::io, "cannot connect").because(Error(Errc::io, "no\nroute")));
  EXPECT_EQ(error.describe(), "cannot pull; cannot connect; no route");
  ASSERT_NE(error.cause(), nullptr);
  EXPECT_EQ(error.cause()->message(), "cannot connect");
}

TEST(ErrorTest, APlainErrorHasNothingBesideItsMessage) {
  const Error error(Errc::io, "x");
  EXPECT_EQ(error.http(), nullptr);
  EXPECT_EQ(error.cause(), nullptr);
  EXPECT_EQ(error.sys_errno(), 0);
  EXPECT_LE(sizeof(Error), 64U) << "a Result is returned from every call: it must stay small";
}

TEST(ErrorTest, ChangingACopyLeavesTheOriginal) {
  const Error original = Error(Errc::unavailable, "x").with_http({.status = 503});
  const Error changed = Error(original).with_http({.status = 404}).with_sys_errno(5);
  ASSERT_NE(original.http(), nullptr);
  EXPECT_EQ(original.http()->status, 503);
  EXPECT_EQ(original.sys_errno(), 0);
  EXPECT_EQ(changed.http()->status, 404);
}

Result<int> half(int value) {
  if (value % 2 != 0) return Error(Errc::invalid_argument, "odd");
  return value / 2;
}

Result<int> quarter(int value) {
  const int once = TRY(half(value));
  return TRY(half(once));
}

TEST(TryTest, GivesTheValueOrReturnsTheError) {
  EXPECT_EQ(*quarter(12), 3);
  ASSERT_FALSE(quarter(6));
  EXPECT_EQ(quarter(6).error().message(), "odd");
}

}  // namespace
}  // namespace berth
