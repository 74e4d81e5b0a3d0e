// SPDX-License-Identifier: Apache-2.0
#include "berth/base/secret.hpp"

#include <ostream>
#include <type_traits>

#include <gtest/gtest.h>

namespace berth {
namespace {

template <class T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };

static_assert(Printable<std::string> && !Printable<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<std::string, Secret>);

TEST(SecretTest, CopiesAndMoves) {
  Secret secret("hunter2");
  Secret copy = secret;
  EXPECT_EQ(copy, secret);
  const Secret moved = std::move(secret);
  EXPECT_EQ(moved.reveal(), "hunter2");
  EXPECT_TRUE(secret.empty());  // NOLINT(bugprone-use-after-move): it must be, to be wiped
  copy = Secret("another");
  EXPECT_EQ(copy.reveal(), "another");
  copy = moved;
  EXPECT_EQ(copy, moved);
}

TEST(SecretTest, AssignmentToItselfKeepsIt) {
  Secret secret("hunter2");
  Secret& same = secret;
  secret = same;
  EXPECT_EQ(secret.reveal(), "hunter2");
}

TEST(SecretTest, AShortOneLeavesNoBytesWhereItWas) {
  Secret secret("hunter2");  // short: it sits inside the object
  const Secret moved = std::move(secret);
  const std::string_view memory(reinterpret_cast<const char*>(&secret), sizeof(secret));
  EXPECT_EQ(memory.find("unter2"), std::string_view::npos);
  EXPECT_NE(std::string_view(reinterpret_cast<const char*>(&moved), sizeof(moved)).find("unter2"),
            std::string_view::npos)
      << "this test looks in the wrong place";
}

}  // namespace
}  // namespace berth
