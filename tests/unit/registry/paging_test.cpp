// SPDX-License-Identifier: Apache-2.0
#include "registry/paging.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace berth::registry {
namespace {

using test::HasCode;
using test::IsOk;

http::Response linking_to(const std::string& target) {
  http::Response response{.status = 200,
                          .headers = {},
                          .body = http::make_string_body({}),
                          .url = http::Url::parse("https://r.example/").value(),
                          .peer = {}};
  response.headers.add("Link", "<" + target + ">; rel=\"next\"");
  return response;
}

Cursor at(const std::string& url) { return {http::Url::parse(url).value()}; }

TEST(CursorTest, KeepsItselfAsText) {
  const Cursor cursor{http::Url::parse("https://r.example:444/v2/a/tags/list?last=b").value(), 7,
                      99};
  const auto again = Cursor::parse(cursor.text());
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->text(), cursor.text());
  EXPECT_EQ(again->pages, 7U);
  for (const char* broken : {"", "7", "7:9", "x:9:https://r/", "7:9:ftp://r/"}) {
    EXPECT_FALSE(Cursor::parse(broken)) << broken;
  }
}

TEST(NextCursorTest, FollowsRelativeAndAbsoluteLinks) {
  const Cursor first = at("https://r.example/v2/a/tags/list?n=2");
  auto next = next_cursor(first, linking_to("?last=b"));
  ASSERT_THAT(next, IsOk());
  EXPECT_EQ((*next)->url.text(), "https://r.example/v2/a/tags/list?last=b");
  next = next_cursor(first, linking_to("https://r.example/v2/a/tags/list?last=c"));
  ASSERT_THAT(next, IsOk());
  EXPECT_EQ((*next)->url.path_and_query(), "/v2/a/tags/list?last=c");
}

TEST(NextCursorTest, StaysOnTheOrigin) {
  const Cursor first = at("https://r.example/v2/_catalog");
  for (const char* elsewhere : {"https://evil.example/", "http://r.example/", "//r.example:444/",
                                "https://r.example.evil.example/"}) {
    EXPECT_THAT(next_cursor(first, linking_to(elsewhere)), HasCode(Errc::untrusted)) << elsewhere;
  }
}

TEST(NextCursorTest, NoticesCirclesOfAnyLength) {
  for (int circle = 1; circle <= 20; ++circle) {
    for (int tail = 0; tail < 5; ++tail) {
      const auto page = [&](int i) {
        const int where = i < tail ? i : tail + (i - tail) % circle;
        return "https://r.example/p" + std::to_string(where);
      };
      Cursor cursor = at(page(0));
      int steps = 0;
      for (;; ++steps) {
        ASSERT_LT(steps, 3 * (circle + tail) + 3) << circle << " " << tail;
        auto next = next_cursor(cursor, linking_to(page(steps + 1)));
        if (!next) {
          EXPECT_THAT(next, HasCode(Errc::corrupt));
          break;
        }
        cursor = **std::move(next);
      }
    }
  }
}

TEST(NextCursorTest, EndsAListWithoutEnd) {
  Cursor cursor = at("https://r.example/0");
  int pages = 0;
  for (;;) {
    auto next = next_cursor(cursor, linking_to("/" + std::to_string(++pages)));
    if (!next) {
      EXPECT_THAT(next, HasCode(Errc::too_large));
      break;
    }
    cursor = **std::move(next);
    ASSERT_LT(pages, 20'000);
  }
  EXPECT_EQ(pages, 10'000);
}

}  // namespace
}  // namespace berth::registry
