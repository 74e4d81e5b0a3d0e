// SPDX-License-Identifier: Apache-2.0
#include "registry/link_header.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::registry {
namespace {

using ::testing::Optional;

TEST(LinkHeaderTest, FindsTheNextPage) {
  EXPECT_THAT(next_link({"</v2/_catalog?last=b&n=2>; rel=\"next\""}),
              Optional(std::string("/v2/_catalog?last=b&n=2")));
  EXPECT_THAT(next_link({"<a>;rel=next"}), Optional(std::string("a")));
  EXPECT_THAT(next_link({"<a>; title=\"x; y, z\"; REL=\"prev Next\""}), Optional(std::string("a")));
}

TEST(LinkHeaderTest, PassesOtherRelations) {
  EXPECT_THAT(next_link({"<a>; rel=prev, <b,c>; rel=\"next\""}), Optional(std::string("b,c")));
  EXPECT_THAT(next_link({"<a>; rel=first", "<b>; rel=next"}), Optional(std::string("b")));
  EXPECT_EQ(next_link({"<a>; rel=last; x"}), std::nullopt);
  EXPECT_EQ(next_link({}), std::nullopt);
}

TEST(LinkHeaderTest, GivesUpOnBrokenText) {
  for (const char* broken : {"", "a; rel=next", "<a; rel=next", "<a>", "<a>;", "<a>; rel",
                             "<a>; rel=", "<a>; rel=\"nex", ",,,", "<a>;;;=;rel==next"}) {
    EXPECT_EQ(next_link({broken}), std::nullopt) << broken;
  }
}

}  // namespace
}  // namespace berth::registry
