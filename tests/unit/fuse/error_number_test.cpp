// SPDX-License-Identifier: Apache-2.0
#include "fuse/error_number.hpp"

#include <cerrno>

#include <gtest/gtest.h>

namespace berth::fuse {
namespace {

int number(Errc code) { return error_number(Error(code, "x")); }

TEST(ErrorNumberTest, SaysWhatAPersonWouldExpect) {
  EXPECT_EQ(number(Errc::not_found), ENOENT);
  EXPECT_EQ(number(Errc::unauthenticated), EACCES);
  EXPECT_EQ(number(Errc::denied), EACCES);
  EXPECT_EQ(number(Errc::timeout), ETIMEDOUT);
  EXPECT_EQ(number(Errc::cancelled), EINTR);
  EXPECT_EQ(number(Errc::no_space), ENOSPC);
  EXPECT_EQ(number(Errc::unavailable), EHOSTDOWN);
  EXPECT_EQ(number(Errc::unsupported), EOPNOTSUPP);
  EXPECT_EQ(number(Errc::untrusted), EPROTO);
}

TEST(ErrorNumberTest, WhatNoRightWouldHelpAgainstIsNotAccessDenied) {
  EXPECT_EQ(error_number(Error(Errc::denied, "x").with_sys_errno(EROFS)), EROFS);
  EXPECT_EQ(error_number(Error(Errc::denied, "x").with_sys_errno(EPERM)), EPERM);
  EXPECT_EQ(error_number(Error(Errc::denied, "x").with_sys_errno(EACCES)), EACCES);
  EXPECT_EQ(error_number(Error(Errc::not_found, "x").with_sys_errno(EPERM)), ENOENT);
}

TEST(ErrorNumberTest, WrongBytesAreAnInputError) {
  EXPECT_EQ(number(Errc::digest_mismatch), EIO);
  EXPECT_EQ(number(Errc::corrupt), EIO);
  EXPECT_EQ(number(Errc::io), EIO);
}

TEST(ErrorNumberTest, NeverAgainWhichReadersTakeForTheEndOfTheFile) {
  for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
    const int result = number(static_cast<Errc>(code));
    EXPECT_NE(result, EAGAIN) << to_string(static_cast<Errc>(code));
    EXPECT_GT(result, 0);
    EXPECT_LT(result, 512);  // what the kernel takes from a FUSE server
  }
}

}  // namespace
}  // namespace berth::fuse
