// SPDX-License-Identifier: Apache-2.0
#include "fuse/page_guard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::fuse {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Digest digest(char letter) { return *Digest::parse("sha256:" + std::string(64, letter)); }

TEST(PageGuardTest, LetsTheKernelKeepVerifiedPages) {
  PageGuard guard;
  EXPECT_TRUE(guard.opened(7, true, digest('a')).keep_pages);
  EXPECT_FALSE(guard.opened(8, false, digest('a')).keep_pages);
}

TEST(PageGuardTest, DropsWhatAnUnverifiedFileLeftBehindBeforeKeepingAgain) {
  PageGuard guard;
  guard.closed(guard.opened(7, false, digest('a')), false);
  auto first = guard.opened(7, true, digest('a'));
  EXPECT_FALSE(first.keep_pages) << "the kernel must drop the old pages at this open";
  EXPECT_FALSE(guard.opened(7, true, digest('a')).keep_pages) << "it may not have done so yet";
  guard.read(first);
  EXPECT_TRUE(guard.opened(7, true, digest('a')).keep_pages);
}

TEST(PageGuardTest, KeepsThePagesOfAFetchThatEndedWell) {
  PageGuard guard;
  guard.closed(guard.opened(7, false, digest('a')), true);
  EXPECT_THAT(guard.suspects(digest('a')), IsEmpty());
  EXPECT_TRUE(guard.opened(7, true, digest('a')).keep_pages);
}

TEST(PageGuardTest, DoubtsPagesWhenOneOfTwoFetchesDidNotEndWell) {
  PageGuard guard;
  const auto broken = guard.opened(7, false, digest('a'));
  const auto good = guard.opened(7, false, digest('a'));
  guard.closed(broken, false);
  guard.closed(good, true);
  EXPECT_THAT(guard.suspects(digest('a')), ElementsAre(7));
  EXPECT_FALSE(guard.opened(7, true, digest('a')).keep_pages);
}

TEST(PageGuardTest, KeepsNothingWhileAnUnverifiedFileIsOpen) {
  PageGuard guard;
  const auto unverified = guard.opened(7, false, digest('a'));
  auto verified = guard.opened(7, true, digest('a'));
  guard.read(verified);
  EXPECT_FALSE(guard.opened(7, true, digest('a')).keep_pages);
  guard.closed(unverified, false);
  // Pages may have come from it after `verified` was opened: its reads prove nothing any more.
  EXPECT_FALSE(guard.opened(7, true, digest('a')).keep_pages);
}

TEST(PageGuardTest, NamesTheFilesOfADroppedDigest) {
  PageGuard guard;
  guard.closed(guard.opened(7, false, digest('a')), false);
  guard.opened(8, false, digest('b'));
  guard.opened(9, true, digest('a'));
  EXPECT_THAT(guard.suspects(digest('a')), ElementsAre(7));
  guard.opened(10, false, std::nullopt);
  EXPECT_THAT(guard.suspects(digest('b')), ElementsAre(8, 10)) << "unknown content may be it";
}

TEST(PageGuardTest, ForgetsWithTheKernel) {
  PageGuard guard;
  guard.closed(guard.opened(7, false, digest('a')), false);
  guard.forgotten(7);
  EXPECT_THAT(guard.suspects(digest('a')), IsEmpty());
  EXPECT_TRUE(guard.opened(7, true, digest('a')).keep_pages);
}

}  // namespace
}  // namespace berth::fuse
