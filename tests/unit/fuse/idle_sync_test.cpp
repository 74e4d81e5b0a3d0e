// SPDX-License-Identifier: Apache-2.0
#include "fuse/idle_sync.hpp"

#include <gtest/gtest.h>

namespace berth::fuse::test {
namespace {

TEST(IdleSyncTest, WaitsForAPauseAfterBytes) {
  IdleSync idle;
  EXPECT_FALSE(idle.is_due(0, false)) << "nothing waits for it";
  EXPECT_FALSE(idle.is_due(100, false)) << "bytes are coming";
  EXPECT_TRUE(idle.is_due(100, false));
  idle.done(true);
  EXPECT_FALSE(idle.is_due(100, false));
}

TEST(IdleSyncTest, AnIndexThatIsStaleIsReasonEnough) {  // S434
  IdleSync idle;
  EXPECT_TRUE(idle.is_due(0, true)) << "a tag moved, and no byte was fetched";
  idle.done(true);
  EXPECT_FALSE(idle.is_due(0, false));
  EXPECT_FALSE(idle.is_due(5, true)) << "bytes are coming";
  EXPECT_TRUE(idle.is_due(5, true));
}

TEST(IdleSyncTest, WhatFailsIsTriedAgainAfterTheNextBytes) {
  IdleSync idle;
  EXPECT_TRUE(idle.is_due(0, true));
  idle.done(false);
  EXPECT_FALSE(idle.is_due(0, true));
  EXPECT_FALSE(idle.is_due(7, true));
  EXPECT_TRUE(idle.is_due(7, true));
  idle.done(true);
  EXPECT_TRUE(idle.is_due(7, true));
}

}  // namespace
}  // namespace berth::fuse::test
