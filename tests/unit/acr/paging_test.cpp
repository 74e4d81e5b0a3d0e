// SPDX-License-Identifier: Apache-2.0
#include "berth/acr/paging.hpp"

#include <ranges>

#include "unit/acr/acr_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

static_assert(std::ranges::input_range<acr::Paged<std::string>>);
static_assert(std::ranges::view<acr::Paged<std::string>>);
static_assert(std::ranges::input_range<acr::Sequence<acr::Page<int>>>);

class PagingTest : public AcrTest {
 protected:
  PagingTest() {
    for (const char* name : {"a", "b", "c", "d"}) fake_.add_image(name, "v1", {});
    fake_.server().clear_log();
  }
  acr::ListOptions sized(int size, std::string token = {}) {
    acr::ListOptions options;
    options.page_size = size;
    options.continuation_token = std::move(token);
    return options;
  }
  Result<std::vector<std::string>> names(const acr::ListOptions& with = {}) {
    return client().list_repository_names(context_, with).all();
  }
  /// All pages are this one.
  void link(const std::string& header) {
    fake_.clear_faults();
    fake_.fault({.times = 0}, fault::header("Link", header));
  }
};

TEST_F(PagingTest, ByItemAndByPage) {
  EXPECT_THAT(names(sized(2)), IsOkAndHolds(ElementsAre("a", "b", "c", "d", kName)));
  std::vector<std::vector<std::string>> pages;
  std::vector<std::string> tokens;
  auto list = client().list_repository_names(context_, sized(2));
  auto by_page = list.by_page();
  for (auto& page : by_page) {
    ASSERT_THAT(page, IsOk());
    pages.push_back(page->items);
    tokens.push_back(page->continuation_token);
  }
  EXPECT_THAT(pages, ElementsAre(ElementsAre("a", "b"), ElementsAre("c", "d"), ElementsAre(kName)));
  EXPECT_THAT(tokens, ElementsAre("/acr/v1/_catalog?last=b&n=2&orderby=",
                                  "/acr/v1/_catalog?last=d&n=2&orderby=", ""));
}

TEST_F(PagingTest, ASizeThatNobodyWishedForIsLeftToTheServiceWhereItIsRefused) {
  fake_.fault({.target = "/acr/v1/_catalog?n=1000*", .times = 0},
              fault::error(400, "PAGINATION_NUMBER_INVALID"));
  EXPECT_THAT(names(), IsOkAndHolds(ElementsAre("a", "b", "c", "d", kName)));
  EXPECT_EQ(fake_.server().count("GET", "/acr/v1/_catalog?api-version=2021-07-01"), 1);
  // Whoever wishes for it is told.
  EXPECT_THAT(names(sized(1000)), HasCode(Errc::invalid_argument));
}

TEST_F(PagingTest, APageIsFetchedWhenItIsNeeded) {
  auto list = client().list_repository_names(context_, sized(2));
  int left = 3;
  for (auto& name : list) {
    ASSERT_THAT(name, IsOk());
    if (--left == 0) break;
  }
  EXPECT_EQ(fake_.server().requests(), 2);
  // It goes on where it stopped: at the third.
  EXPECT_THAT(list.all(), IsOkAndHolds(ElementsAre("c", "d", kName)));
}

TEST_F(PagingTest, AnotherProcessGoesOnByToken) {
  EXPECT_THAT(names(sized(0, "/acr/v1/_catalog?last=b&n=2&orderby=")),
              IsOkAndHolds(ElementsAre("c", "d", kName)));
}

TEST_F(PagingTest, ATokenOfAnotherListOrRegistryIsRefused) {
  FakeRegistry other{{.acr = true}};
  for (const std::string& token :
       {std::string("/acr/v1/a/_tags?last=v1"), other.origin() + "/acr/v1/_catalog",
        std::string("//") + other.host() + "/acr/v1/_catalog", std::string("nonsense"),
        std::string("/acr/v1/_catalog/../../v2/")}) {
    EXPECT_THAT(names(sized(0, token)), HasCode(Errc::invalid_argument)) << token;
  }
  EXPECT_EQ(fake_.server().requests() + other.server().requests(), 0);
}

TEST_F(PagingTest, ADefaultMadeIteratorIsAtTheEnd) {
  const acr::Paged<std::string>::Iterator none;
  EXPECT_TRUE(none == std::default_sentinel);
}

TEST_F(PagingTest, WorksWithViews) {
  auto list = client().list_repository_names(context_);
  std::vector<std::size_t> lengths;
  for (const std::size_t length : std::move(list) | std::views::transform([](auto& name) {
                                    return name->size();
                                  }) | std::views::take(2)) {
    lengths.push_back(length);
  }
  EXPECT_THAT(lengths, ElementsAre(1U, 1U));
}

TEST_F(PagingTest, AnErrorIsTheLastElement) {
  fake_.fault({.from = 2, .times = 0}, fault::error(403, "DENIED"));
  auto list = client().list_repository_names(context_, sized(2));
  std::vector<bool> fine;
  for (auto& name : list) fine.push_back(name.has_value());
  EXPECT_THAT(fine, ElementsAre(true, true, false));
  EXPECT_EQ(fake_.server().requests(), 2);
  EXPECT_THAT(list.all(), IsOkAndHolds(IsEmpty()));  // it has ended
}

TEST_F(PagingTest, ACircleOfLinksIsAnError) {
  for (const char* target :
       {"/acr/v1/_catalog?last=b&n=2&orderby=", "/acr/v1/_catalog?n=2&api-version=2021-07-01"}) {
    link(std::string("<") + target + ">; rel=\"next\"");
    const auto all = names(sized(2));
    ASSERT_THAT(all, HasCode(Errc::corrupt));
    EXPECT_THAT(all.error().message(), HasSubstr("circle"));
  }
}

TEST_F(PagingTest, ALinkThatCannotBeReadIsAnError) {
  for (const char* header :
       {"</acr/v1/_catalog?last=b; rel=\"next\"", "/acr/v1/_catalog?last=b; rel=next", "nonsense",
        "</acr/v1/a/_tags?last=b>; rel=\"next\"", "<::>; rel=\"next\""}) {
    link(header);
    EXPECT_THAT(names(), HasCode(Errc::corrupt)) << header;
  }
  link("</help>; rel=\"help\"");
  EXPECT_THAT(names(), IsOk());
}

TEST_F(PagingTest, ALinkElsewhereIsNeverFollowed) {
  FakeRegistry other{{.acr = true}};
  link("<" + other.origin() + "/acr/v1/_catalog>; rel=\"next\"");
  EXPECT_THAT(names(), HasCode(Errc::untrusted));
  EXPECT_EQ(other.server().requests(), 0);
}

TEST_F(PagingTest, WhatWasCutIsAnError) {
  fake_.fault({.times = 0}, fault::cut(10, false));
  EXPECT_THAT(names(), HasCode(Errc::unavailable));
  fake_.clear_faults();
  for (const char* body : {R"({"repositories":["a","b)", "", "<html>", "[]",
                           R"({"repositories":"a"})", R"({"repositories":[1]})"}) {
    fake_.fault({}, fault::status(200, body));
    EXPECT_THAT(names(), HasCode(Errc::corrupt)) << body;
  }
}

TEST_F(PagingTest, NullAndMissingListsAreEmpty) {
  for (const char* body : {"{}", R"({"repositories":null})", R"({"repositories":[]})"}) {
    fake_.fault({}, fault::status(200, body));
    EXPECT_THAT(names(), IsOkAndHolds(IsEmpty())) << body;
  }
  const std::string around = R"({"registry":"r","imageName":"a")";
  for (const char* rest : {"}", R"(,"tags":null,"manifests":null})"}) {
    fake_.fault({.times = 2}, fault::status(200, around + rest));
    EXPECT_THAT(repository().list_tag_properties(context_).all(), IsOkAndHolds(IsEmpty()));
    EXPECT_THAT(repository().list_manifest_properties(context_).all(), IsOkAndHolds(IsEmpty()));
  }
}

TEST_F(PagingTest, AnEmptyPageIsNotTheEnd) {
  fake_.fault({}, fault::status(200, R"({"repositories":null})",
                                {{"Link", "</acr/v1/_catalog?last=b&n=9&orderby=>; rel=next"}}));
  EXPECT_THAT(names(), IsOkAndHolds(ElementsAre("c", "d", kName)));
}

TEST_F(PagingTest, CountsWhenToldTo) {
  acr::ListTagsOptions tags;
  tags.verify_count = true;
  tags.page_size = 3;
  acr::ListManifestsOptions manifests;
  manifests.verify_count = true;
  EXPECT_THAT(repository().list_tag_properties(context_, tags).all(), IsOk());
  EXPECT_THAT(repository().list_manifest_properties(context_, manifests).all(), IsOk());
  // The link to the second page gets lost.
  fake_.fault({.target = "*/_tags*"}, fault::without_header("Link"));
  const auto cut = repository().list_tag_properties(context_, tags).all();
  ASSERT_THAT(cut, HasCode(Errc::corrupt));
  EXPECT_THAT(cut.error().message(), HasSubstr("listed 3 and counts 4"));
}

TEST_F(PagingTest, ANegativePageSizeIsAnError) {
  EXPECT_THAT(names(sized(-1)), HasCode(Errc::invalid_argument));
  EXPECT_EQ(fake_.server().requests(), 0);
}

}  // namespace
}  // namespace berth::test
