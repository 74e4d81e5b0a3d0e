// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <gtest/gtest.h>

#include "support/http_server.hpp"
#include "support/matchers.hpp"
#include "unit/http/transport_fixture.hpp"

namespace berth::http {
namespace {

using test::HttpReply;
using test::HttpRequest;
using test::HttpServer;
using test::IsOk;
using test::IsOkAndHolds;

TEST(CurlTransportTest, GivesStatusHeadersBodyAndPeer) {
  HttpServer server([](const HttpRequest&) {
    return HttpReply{.status = 404, .headers = {{"X-One", "  two "}}, .body = "nothing here"};
  });
  const auto transport = make_curl_transport(plain_options());
  auto response = transport->send(get(server, "/v2/a?n=1"), soon());
  ASSERT_THAT(response, IsOk());
  EXPECT_EQ(response->status, 404);
  EXPECT_EQ(*response->headers.find("x-one"), "two");
  EXPECT_EQ(response->content_length(), 12U);
  EXPECT_EQ(response->peer, AddressClass::loopback);
  EXPECT_THAT(read_all(*response->body, 100, soon()), IsOkAndHolds("nothing here"));
  EXPECT_EQ(server.log()[0].target, "/v2/a?n=1");
}

TEST(CurlTransportTest, SendsNoEncodingExpectOrContentTypeOfItsOwn) {
  HttpServer server([](const HttpRequest&) { return HttpReply{}; });
  CurlOptions options = plain_options();
  options.user_agent = "berth/9";
  const auto transport = make_curl_transport(options);
  Request request = get(server);
  request.method = "POST";
  request.body = std::string(2'000'000, 'x');
  request.authorization = Secret("Bearer abc");
  request.headers.add("X-Empty", "");
  ASSERT_THAT(fetch(*transport, request), IsOk());
  const HttpRequest seen = server.log()[0];
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.body.size(), 2'000'000U);
  EXPECT_EQ(seen.header("User-Agent"), "berth/9");
  EXPECT_EQ(seen.header("Authorization"), "Bearer abc");
  EXPECT_TRUE(seen.has_header("X-Empty"));
  EXPECT_FALSE(seen.has_header("Accept-Encoding"));
  EXPECT_FALSE(seen.has_header("Expect"));
  EXPECT_FALSE(seen.has_header("Content-Type"));
}

TEST(CurlTransportTest, SendsHeadAndDeleteWithoutBody) {
  HttpServer server([](const HttpRequest&) { return HttpReply{.body = "12345"}; });
  const auto transport = make_curl_transport(plain_options());
  Request request = get(server);
  request.method = "HEAD";
  auto head = transport->send(request, soon());
  ASSERT_THAT(head, IsOk());
  EXPECT_EQ(head->content_length(), 5U);
  EXPECT_THAT(read_all(*head->body, 10, soon()), IsOkAndHolds(""));
  request.method = "DELETE";
  EXPECT_THAT(fetch(*transport, request), IsOkAndHolds("12345"));
  EXPECT_EQ(server.log()[1].method, "DELETE");
  EXPECT_FALSE(server.log()[1].has_header("Content-Length"));
  EXPECT_EQ(server.connections(), 1);
}

TEST(CurlTransportTest, ReusesAConnection) {
  HttpServer server([](const HttpRequest&) { return HttpReply{.body = "hello"}; });
  const auto transport = make_curl_transport(plain_options());
  for (int i = 0; i < 5; ++i) EXPECT_THAT(fetch(*transport, get(server)), IsOkAndHolds("hello"));
  EXPECT_EQ(server.requests(), 5);
  EXPECT_EQ(server.connections(), 1);
}

TEST(CurlTransportTest, AsksAgainWhenAnIdleConnectionHadDied) {
  HttpServer server([](const HttpRequest&) { return HttpReply{.body = "hello"}; });
  const auto transport = make_curl_transport(plain_options());
  EXPECT_THAT(fetch(*transport, get(server)), IsOkAndHolds("hello"));
  server.reset_connections();
  EXPECT_THAT(fetch(*transport, get(server)), IsOkAndHolds("hello"));
}

class FramingTest : public testing::TestWithParam<HttpReply::Framing> {};

TEST_P(FramingTest, GivesEveryByteInOrderToASlowReader) {
  const auto content = std::make_shared<const std::string>(pattern(9'000'001));
  HttpServer server(
      [&](const HttpRequest&) { return HttpReply{.shared_body = content, .framing = GetParam()}; });
  const auto transport = make_curl_transport(plain_options());
  auto response = transport->send(get(server), soon());
  ASSERT_THAT(response, IsOk());
  std::string got;
  for (;;) {
    const auto block = response->body->next(soon());
    ASSERT_THAT(block, IsOk());
    if (block->empty()) break;
    EXPECT_LE(block->size(), 512U * 1024);
    got += as_text(*block);
    // Let the loop fill the queue and pause before the next block is taken.
    for (int i = 0; i < 200; ++i) std::this_thread::yield();
  }
  EXPECT_TRUE(got == *content) << got.size();
}

INSTANTIATE_TEST_SUITE_P(CurlTransportTest, FramingTest,
                         testing::Values(HttpReply::Framing::length, HttpReply::Framing::chunked,
                                         HttpReply::Framing::until_close));

}  // namespace
}  // namespace berth::http
