// SPDX-License-Identifier: Apache-2.0
#include "fuse/inodes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fuse/siphash.hpp"
#include "unit/fuse/fake_view.hpp"

namespace berth::fuse {
namespace {

tree::NodePtr node(const std::string& identity) {
  auto made = std::make_shared<test::FakeNode>();
  made->id = identity;
  return made;
}

TEST(SipHashTest, GivesThePublishedVectors) {
  // Appendix A of the paper and vectors.h of the reference implementation: key 00 01 ... 0f.
  constexpr SipKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::string text;
  EXPECT_EQ(siphash(kKey, text), 0x726fdb47dd0e0e31u);
  for (char c = 0; c < 15; ++c) text += c;
  EXPECT_EQ(siphash(kKey, text), 0xa129ca6149be45e5u);
}

TEST(InodesTest, NumbersDependOnTheIdentityAlone) {
  Inodes first(node("root")), second(node("root"));
  const Ino a = first.remember(node("a"), {}, false);
  first.remember(node("b"), {}, false);
  second.remember(node("b"), {}, false);
  EXPECT_EQ(second.remember(node("a"), {}, false), a);
  EXPECT_NE(a, first.remember(node("b"), {}, false));
}

TEST(InodesTest, ForgetsWhenEveryLookupIsTakenBack) {
  Inodes inodes(node("root"));
  const Ino ino = inodes.remember(node("a"), {}, false);
  ASSERT_EQ(inodes.remember(node("a"), {}, false), ino);
  EXPECT_FALSE(inodes.forget(ino, 1));
  EXPECT_NE(inodes.find(ino), nullptr);
  EXPECT_TRUE(inodes.forget(ino, 1));
  EXPECT_EQ(inodes.find(ino), nullptr);
  EXPECT_EQ(inodes.size(), 1u);
}

TEST(InodesTest, NeverForgetsTheRoot) {
  Inodes inodes(node("root"));
  EXPECT_FALSE(inodes.forget(kRootIno, 1000));
  EXPECT_NE(inodes.find(kRootIno), nullptr);
  EXPECT_EQ(inodes.number_of(*node("root")), kRootIno);
}

TEST(InodesTest, GivesCollidingIdentitiesNumbersOfTheirOwn) {
  const auto collide = [](std::string_view, unsigned attempt) { return 100 + attempt; };
  Inodes inodes(node("root"), collide);
  const Ino a = inodes.remember(node("a"), {}, false);
  const Ino b = inodes.remember(node("b"), {}, false);
  EXPECT_NE(a, b);
  EXPECT_EQ(inodes.remember(node("b"), {}, false), b);
  EXPECT_EQ(inodes.find(a)->identity(), "a");
  EXPECT_EQ(inodes.find(b)->identity(), "b");
  EXPECT_EQ(inodes.number_of(*node("b")), b);
}

TEST(InodesTest, NeverGivesANumberThatMeansSomethingElse) {
  Ino raw = 0;
  Inodes inodes(node("root"), [&raw](std::string_view, unsigned attempt) { return raw + attempt; });
  for (const Ino special : {Ino{0}, Ino{1}, Ino{0xffffffff}}) {
    raw = special;
    const Ino ino = inodes.remember(node(std::to_string(special)), {}, false);
    EXPECT_GT(ino, kRootIno);
    EXPECT_NE(ino, 0xffffffffu);
  }
}

TEST(InodesTest, KnowsTheNamesThatMayMove) {
  Inodes inodes(node("root"));
  inodes.remember(node("content"), {1, "content"}, false);
  inodes.remember(node("tag"), {1, "latest"}, true);
  const auto names = inodes.changing_names();
  ASSERT_EQ(names.size(), 1u);
  EXPECT_EQ(names[0].name, "latest");
  EXPECT_EQ(names[0].folder, 1u);
}

TEST(InodesTest, KeepsABoundedNumberOfAbsentNames) {
  Inodes inodes(std::make_shared<test::FakeNode>());
  for (std::size_t i = 0; i < Inodes::kAbsentMost + 10; ++i) {
    inodes.remember_absent({kRootIno, std::to_string(i)});
  }
  EXPECT_FALSE(inodes.forget_absent(kRootIno, "0")) << "the oldest went first";
  EXPECT_TRUE(inodes.forget_absent(kRootIno, "20"));
  EXPECT_FALSE(inodes.forget_absent(kRootIno, "20"));
  EXPECT_EQ(inodes.take_absent().size(), Inodes::kAbsentMost - 1);
  EXPECT_TRUE(inodes.take_absent().empty());
}

}  // namespace
}  // namespace berth::fuse
