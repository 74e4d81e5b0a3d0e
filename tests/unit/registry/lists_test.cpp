// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/registry/registry_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ListsTest : public RegistryTest {
 protected:
  Result<std::vector<std::string>> all_tags(const std::string& repository) {
    std::vector<std::string> names;
    std::string from;
    do {
      auto page = client().list_tags(repository, from, context_);
      if (!page) return std::move(page).error();
      names.insert(names.end(), page->names.begin(), page->names.end());
      from = page->next;
    } while (!from.empty());
    return names;
  }
};

TEST_F(ListsTest, ListsRepositories) {
  fake_.add_image("library/a", "v1", {});
  fake_.add_image("b", "v1", {});
  const auto page = client().list_repositories("", context_);
  ASSERT_THAT(page, IsOk());
  EXPECT_THAT(page->names, ElementsAre("b", "library/a"));
  EXPECT_EQ(page->next, "");
}

TEST_F(ListsTest, FollowsRelativeAndAbsoluteLinksOfShortPages) {
  for (int i = 100; i < 107; ++i) fake_.add_image("r", "t" + std::to_string(i), {});
  for (const bool absolute : {false, true}) {
    fake_.change([&](RegistryBehaviour& behaviour) {
      behaviour.page_size = 3;
      behaviour.absolute_links = absolute;
    });
    const auto tags = all_tags("r");
    ASSERT_THAT(tags, IsOk());
    EXPECT_THAT(*tags, ElementsAre("t100", "t101", "t102", "t103", "t104", "t105", "t106"));
  }
  EXPECT_EQ(fake_.server().count("GET", "/v2/r/tags/list*"), 6);
}

TEST_F(ListsTest, NullAndMissingListsAreEmpty) {
  fake_.add_empty_repository("r");
  for (const char* body : {R"({"name":"r","tags":null})", R"({"name":"r"})"}) {
    fake_.fault({}, fault::status(200, body));
    const auto page = client().list_tags("r", "", context_);
    ASSERT_THAT(page, IsOk()) << body;
    EXPECT_THAT(page->names, IsEmpty());
  }
}

TEST_F(ListsTest, DropsNamesThatBreakTheGrammarAndDuplicates) {
  fake_.fault({},
              fault::status(200, R"({"tags":["a","sha256:00","a","../x","b c","\u001b[2J","b"]})"));
  const auto page = client().list_tags("r", "", context_);
  ASSERT_THAT(page, IsOk());
  EXPECT_THAT(page->names, ElementsAre("a", "b"));
}

TEST_F(ListsTest, RefusesListsThatAreNone) {
  for (const char* body : {"[]", R"({"tags":"a"})", R"({"tags":[1]})", "<html>", ""}) {
    fake_.fault({}, fault::status(200, body));
    EXPECT_THAT(client().list_tags("r", "", context_), HasCode(Errc::corrupt)) << body;
  }
}

TEST_F(ListsTest, AsksAgainWithoutASizeThatWasRefused) {
  fake_.add_image("r", "v1", {});
  fake_.change([](RegistryBehaviour& behaviour) { behaviour.max_page_size = 100; });
  const auto tags = all_tags("r");
  ASSERT_THAT(tags, IsOk());
  EXPECT_THAT(*tags, ElementsAre("v1"));
  EXPECT_EQ(fake_.server().count("GET", "/v2/r/tags/list"), 1);
}

TEST_F(ListsTest, NeverFollowsALinkElsewhere) {
  FakeRegistry other;
  fake_.add_image("r", "v1", {});
  fake_.fault({}, fault::link(other.origin() + "/v2/r/tags/list"));
  EXPECT_THAT(all_tags("r"), HasCode(Errc::untrusted));
  EXPECT_EQ(other.server().requests(), 0);
}

TEST_F(ListsTest, ACursorOfAnotherRegistryIsRefused) {
  FakeRegistry other;
  EXPECT_THAT(client().list_tags("r", "1:0:" + other.origin() + "/v2/r/tags/list", context_),
              HasCode(Errc::invalid_argument));
  EXPECT_THAT(client().list_tags("r", "nonsense", context_), HasCode(Errc::invalid_argument));
  EXPECT_EQ(other.server().requests() + fake_.server().requests(), 0);
}

TEST_F(ListsTest, EndsCirclesOfLinks) {
  fake_.add_image("r", "v1", {});
  fake_.fault({.times = 0}, fault::link("/v2/r/tags/list?last=v1"));
  EXPECT_THAT(all_tags("r"), HasCode(Errc::corrupt));
  EXPECT_LE(fake_.server().requests(), 4);
}

TEST_F(ListsTest, SaysWhereThereIsNoCatalogue) {
  fake_.change([](auto& behaviour) { behaviour.catalogue = RegistryBehaviour::Catalogue::off; });
  EXPECT_THAT(client().list_repositories("", context_), HasCode(Errc::unsupported));
  fake_.change([](auto& behaviour) { behaviour.catalogue = RegistryBehaviour::Catalogue::denied; });
  EXPECT_THAT(client().list_repositories("", context_), HasCode(Errc::denied));
}

TEST_F(ListsTest, DockerHubIsNotAskedForItsCatalogue) {
  registry::Client hub("docker.io", rig_.endpoints());
  EXPECT_THAT(hub.list_repositories("", context_), HasCode(Errc::unsupported));
  EXPECT_EQ(fake_.server().requests(), 0);
}

TEST_F(ListsTest, NamesWhatIsUnknown) {
  const auto page = client().list_tags("no/such", "", context_);
  ASSERT_THAT(page, HasCode(Errc::not_found));
  EXPECT_THAT(page.error().message(), HasSubstr("tags of " + fake_.host() + "/no/such"));
  EXPECT_EQ(page.error().http()->registry_code, "NAME_UNKNOWN");
}

TEST_F(ListsTest, ChecksNamesBeforeAsking) {
  for (const char* name : {"", "A", "a/../b", "a//b", "a?x", "a/", "-a"}) {
    EXPECT_THAT(client().list_tags(name, "", context_), HasCode(Errc::invalid_argument)) << name;
  }
  EXPECT_EQ(fake_.server().requests(), 0);
}

TEST_F(ListsTest, PingTellsARegistryFromAWebServer) {
  EXPECT_THAT(client().ping(context_), IsOk());
  fake_.fault({}, fault::status(200, "<html>", {{"Content-Type", "text/html; charset=utf-8"}}));
  EXPECT_THAT(client().ping(context_), HasCode(Errc::unsupported));
  fake_.fault({}, fault::status(404));
  EXPECT_THAT(client().ping(context_), HasCode(Errc::unsupported));
}

}  // namespace
}  // namespace berth::test
