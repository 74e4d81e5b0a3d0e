// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/scope.hpp"

#include <gmock/gmock.h>

#include "auth/token_fetch.hpp"

namespace berth::auth {
namespace {

using ::testing::ElementsAre;

TEST(ScopesTest, UnitesAndSorts) {
  Scopes scopes = Scopes::parse("repository:b:push,pull registry:catalog:*");
  scopes.add(Scopes::parse("repository:a:pull repository:b:delete,pull"));
  EXPECT_EQ(scopes.text(), "registry:catalog:* repository:a:pull repository:b:delete,pull,push");
  EXPECT_THAT(scopes.list(), ElementsAre("registry:catalog:*", "repository:a:pull",
                                         "repository:b:delete,pull,push"));
}

TEST(ScopesTest, NamesMayHoldColons) {
  EXPECT_EQ(Scopes::parse("repository:host:5000/a:pull").text(), "repository:host:5000/a:pull");
}

TEST(ScopesTest, KnowsPatternsOfRepositories) {
  const Scopes scopes = Scopes::parse(
      "registry:catalog:* repository:*:* repository:a:* repository:b/*:pull repository:c:pull");
  EXPECT_THAT(scopes.wildcards().list(), ElementsAre("repository:*:*", "repository:b/*:pull"));
  EXPECT_TRUE(Scopes::catalog().wildcards().empty());
}

TEST(ScopesTest, MakesTheUsualOnes) {
  EXPECT_EQ(Scopes::pull("library/a").text(), "repository:library/a:pull");
  EXPECT_EQ(Scopes::catalog().text(), "registry:catalog:*");
  EXPECT_TRUE(Scopes().empty());
  EXPECT_EQ(Scopes().text(), "");
}

TEST(ScopesTest, KeepsWhatItDoesNotKnowAndDropsWhatAsksForNothing) {
  EXPECT_EQ(Scopes::parse("aws  plugin:x repository:a: ").text(), "aws plugin:x");
}

TEST(ScopesTest, ContainsWhatNeedsLess) {
  const Scopes all = Scopes::parse("repository:a:pull,push repository:b:*");
  EXPECT_TRUE(all.contains(Scopes::pull("a")));
  EXPECT_TRUE(all.contains(Scopes::parse("repository:a:push repository:b:delete")));
  EXPECT_TRUE(all.contains(Scopes()));
  EXPECT_FALSE(all.contains(Scopes::parse("repository:a:delete")));
  EXPECT_FALSE(all.contains(Scopes::pull("c")));
  EXPECT_FALSE(Scopes().contains(Scopes::pull("a")));
  EXPECT_FALSE(Scopes::pull("a").contains(Scopes::parse("repository:a:*")));
}

TEST(ScopesTest, TheMissingOneGoesFirst) {
  const Scopes all = Scopes::parse("repository:a:pull repository:b:pull,push repository:c:pull");
  EXPECT_THAT(ordered_scopes(all, Scopes::parse("repository:b:push")),
              ElementsAre("repository:b:pull,push", "repository:a:pull", "repository:c:pull"));
  EXPECT_THAT(ordered_scopes(all, Scopes()),
              ElementsAre("repository:a:pull", "repository:b:pull,push", "repository:c:pull"));
}

}  // namespace
}  // namespace berth::auth
