// SPDX-License-Identifier: Apache-2.0
// Slow readers, readers that go away, and servers that do.
#include <atomic>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include <gmock/gmock.h>

#include "berth/http/client.hpp"
#include "berth/http/limits.hpp"

#include "support/matchers.hpp"
#include "unit/http/transport_fixture.hpp"

namespace berth::http {
namespace {

using namespace std::chrono_literals;
using test::Gate;
using test::HasCode;
using test::HttpReply;
using test::HttpRequest;
using test::HttpServer;
using test::IsOk;
using test::IsOkAndHolds;
using testing::HasSubstr;

// Waits until the server has sent all that it can: nothing moves any more.
std::uint64_t settled_bytes(const HttpServer& server) {
  std::uint64_t before = 0;
  auto since = std::chrono::steady_clock::now();
  (void)eventually([&] {
    const std::uint64_t now = server.body_bytes_sent();
    if (now != before) since = std::chrono::steady_clock::now();
    before = now;
    return now > 0 && std::chrono::steady_clock::now() - since > 300ms;
  });
  return before;
}

TEST(CurlFlowTest, ASlowReaderHoldsTheSenderBackAndNobodyElse) {
  const auto large = std::make_shared<const std::string>(pattern(40'000'000));
  HttpServer server([&](const HttpRequest& request) {
    return request.path() == "/large" ? HttpReply{.shared_body = large}
                                      : HttpReply{.body = "small"};
  });
  const auto transport = make_curl_transport(plain_options());
  auto slow = transport->send(get(server, "/large"), soon());
  ASSERT_THAT(slow, IsOk());
  const std::uint64_t sent = settled_bytes(server);
  // The queue, curl's own buffers, and what the two kernels' socket buffers hold.
  EXPECT_LT(sent, limits::kQueueBytes + 20'000'000U);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(fetch(*transport, get(server, "/small")), IsOkAndHolds("small"));
  }
  EXPECT_LE(server.body_bytes_sent(), sent + 15);
  std::string got;
  EXPECT_THAT(read_all(*slow->body, large->size(), soon()), IsOkAndHolds(*large));
}

TEST(CurlFlowTest, GivesWhatIsThereWithoutWaitingForAFullBlock) {
  const auto gate = std::make_shared<Gate>();
  HttpServer server([&](const HttpRequest&) {
    return HttpReply{.body = "first second", .gate = gate, .gate_at = 6};
  });
  const auto transport = make_curl_transport(plain_options());
  auto response = transport->send(get(server), soon());
  ASSERT_THAT(response, IsOk());
  std::string got;
  while (got.size() < 6) {
    const auto block = response->body->next(soon());
    ASSERT_THAT(block, IsOk());
    got += as_text(*block);
  }
  EXPECT_EQ(got, "first ");
  EXPECT_THAT(response->body->next(Context().nonblocking()), HasCode(Errc::would_block));
  gate->open();
  EXPECT_THAT(read_all(*response->body, 100, soon()), IsOkAndHolds("second"));
}

TEST(CurlFlowTest, GathersSmallPiecesIntoLargeBlocks) {
  const auto body = std::make_shared<const std::string>(pattern(8'000'000));
  HttpServer server([&](const HttpRequest&) { return HttpReply{.shared_body = body}; });
  const auto transport = make_curl_transport(plain_options());
  auto response = transport->send(get(server), soon());
  ASSERT_THAT(response, IsOk());
  (void)settled_bytes(server);
  const auto block = response->body->next(soon());
  ASSERT_THAT(block, IsOk());
  EXPECT_EQ(block->size(), 512U * 1024);
}

TEST(CurlFlowTest, TheDeadlineEndsAWaitForHeaders) {
  const auto gate = std::make_shared<Gate>();
  HttpServer server([&](const HttpRequest&) { return HttpReply{.before = gate}; });
  const auto transport = make_curl_transport(plain_options());
  EXPECT_THAT(transport->send(get(server), Context().with_timeout(500ms)), HasCode(Errc::timeout));
  gate->open();
  EXPECT_THAT(fetch(*transport, get(server)), IsOk());
  EXPECT_EQ(server.connections(), 2);  // the first was closed, not used again
}

TEST(CurlFlowTest, AStopEndsAWaitForHeadersAndForBytes) {
  const auto gate = std::make_shared<Gate>();
  HttpServer server([&](const HttpRequest& request) {
    return request.path() == "/head" ? HttpReply{.before = gate}
                                     : HttpReply{.body = "abc", .gate = gate, .gate_at = 1};
  });
  const auto transport = make_curl_transport(plain_options());
  for (const char* path : {"/head", "/body"}) {
    std::stop_source stop;
    const Context context = soon().with_stop(stop.get_token());
    std::jthread stopper([&] {
      EXPECT_TRUE(gate->wait_for_arrivals(std::string(path) == "/head" ? 1 : 2));
      stop.request_stop();
    });
    auto response = transport->send(get(server, path), context);
    if (response) {
      EXPECT_THAT(read_all(*response->body, 100, context), HasCode(Errc::cancelled));
    } else {
      EXPECT_THAT(response, HasCode(Errc::cancelled));
    }
  }
  gate->open();
}

TEST(CurlFlowTest, ADroppedBodyEndsItsTransfer) {
  const auto large = std::make_shared<const std::string>(pattern(24'000'000));
  HttpServer server([&](const HttpRequest&) { return HttpReply{.shared_body = large}; });
  const auto transport = make_curl_transport(plain_options());
  {
    auto response = transport->send(get(server), soon());
    ASSERT_THAT(response, IsOk());
    ASSERT_THAT(response->body->next(soon()), IsOk());
  }
  EXPECT_THAT(fetch(*transport, get(server)), IsOkAndHolds(*large));
  EXPECT_EQ(server.connections(), 2);
  EXPECT_LT(server.body_bytes_sent(), 2 * large->size());
}

TEST(CurlFlowTest, ABodyReadToItsLastByteKeepsItsConnection) {
  HttpServer server([](const HttpRequest&) { return HttpReply{.body = "12345"}; });
  const auto transport = make_curl_transport(plain_options());
  for (int i = 0; i < 20; ++i) {
    auto response = transport->send(get(server), soon());
    ASSERT_THAT(response, IsOk());
    ASSERT_THAT(response->body->next(soon()), IsOkAndHolds(testing::SizeIs(5)));
  }  // the end itself was not read
  EXPECT_EQ(server.connections(), 1);
}

TEST(CurlFlowTest, ANonblockingContextNeverStartsARequest) {
  HttpServer server([](const HttpRequest&) { return HttpReply{}; });
  const auto transport = make_curl_transport(plain_options());
  EXPECT_THAT(transport->send(get(server), Context().nonblocking()), HasCode(Errc::would_block));
  EXPECT_EQ(server.connections(), 0);
}

TEST(CurlFlowTest, ManyThreadsAtOnce) {
  const auto body = std::make_shared<const std::string>(pattern(700'000));
  HttpServer server([&](const HttpRequest&) { return HttpReply{.shared_body = body}; });
  const auto transport = make_curl_transport(plain_options());
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 4; ++n) {
          const auto got = fetch(*transport, get(server));
          if (got && *got == *body) ++good;
        }
      });
    }
  }
  EXPECT_EQ(good, 64);
  EXPECT_LE(server.connections(), 16);
}

TEST(CurlFlowTest, ShutdownEndsWhatIsStillOpen) {
  const auto large = std::make_shared<const std::string>(pattern(24'000'000));
  HttpServer server([&](const HttpRequest&) { return HttpReply{.shared_body = large}; });
  auto transport = make_curl_transport(plain_options());
  auto response = transport->send(get(server), soon());
  ASSERT_THAT(response, IsOk());
  transport.reset();
  EXPECT_THAT(read_all(*response->body, large->size(), soon()), HasCode(Errc::cancelled));
}

// --- Servers that break.

class CurlBreakTest : public testing::Test {
 protected:
  Result<std::string> fetch_reply(HttpReply reply, CurlOptions options = plain_options()) {
    HttpServer server([&](const HttpRequest&) { return reply; });
    return fetch(*make_curl_transport(std::move(options)), get(server));
  }
};

TEST_F(CurlBreakTest, ABodyCutShortIsUnavailable) {
  for (const bool reset : {true, false}) {
    for (const auto framing : {HttpReply::Framing::length, HttpReply::Framing::chunked}) {
      const auto got = fetch_reply({.body = std::string(1000, 'x'),
                                    .framing = framing,
                                    .cut_at = 500,
                                    .cut_with_reset = reset});
      EXPECT_THAT(got, HasCode(Errc::unavailable));
      EXPECT_TRUE(got.error().is_retryable());
    }
  }
}

TEST_F(CurlBreakTest, GivesWhatCameBeforeTheCut) {
  HttpServer server([&](const HttpRequest&) {
    return HttpReply{.body = std::string(1000, 'x'), .cut_at = 500, .cut_with_reset = false};
  });
  const auto transport = make_curl_transport(plain_options());
  auto response = transport->send(get(server), soon());
  ASSERT_THAT(response, IsOk());
  std::size_t got = 0;
  for (;;) {
    const auto block = response->body->next(soon());
    if (!block) break;
    got += block->size();
  }
  EXPECT_EQ(got, 500U);
}

TEST_F(CurlBreakTest, NoAnswerIsUnavailable) {
  for (const bool reset : {true, false}) {
    const auto got = fetch_reply({.cut_with_reset = reset, .cut_before_status = true});
    EXPECT_THAT(got, HasCode(Errc::unavailable));
    EXPECT_TRUE(got.error().is_retryable());
  }
}

TEST_F(CurlBreakTest, NobodyListeningIsUnavailable) {
  HttpServer server([](const HttpRequest&) { return HttpReply{}; });
  const Request request = get(server);
  server.stop();
  const auto got = fetch(*make_curl_transport(plain_options()), request);
  EXPECT_THAT(got, HasCode(Errc::unavailable));
  EXPECT_THAT(got.error().message(), HasSubstr("cannot connect"));
}

TEST_F(CurlBreakTest, ANameThatDoesNotExistIsUnavailable) {
  Request request;
  request.url = *Url::parse("https://no-such-host.invalid/");
  EXPECT_THAT(fetch(*make_curl_transport(plain_options()), request), HasCode(Errc::unavailable));
}

TEST_F(CurlBreakTest, SilenceBreaksTheTransfer) {
  CurlOptions options = plain_options();
  options.stall_timeout = 200ms;
  for (const bool in_body : {false, true}) {
    const auto gate = std::make_shared<Gate>();
    const HttpReply reply = in_body ? HttpReply{.body = "abcdef", .gate = gate, .gate_at = 3}
                                    : HttpReply{.before = gate};
    const auto got = fetch_reply(reply, options);
    ASSERT_THAT(got, HasCode(Errc::unavailable));
    EXPECT_TRUE(got.error().is_retryable());
    EXPECT_THAT(got.error().message(), HasSubstr("no byte came"));
  }
}

TEST_F(CurlBreakTest, TimeThatIsOverIsSaidOfTheRequestOnce) {
  const auto gate = std::make_shared<Gate>();
  HttpServer server([&](const HttpRequest&) { return HttpReply{.before = gate}; });
  const auto transport = make_curl_transport(plain_options());
  Client client(*transport);
  for (const auto time : {100ms, 0ms}) {  // over while it waits, and before it began
    const auto got = client.send(get(server, "/list?secret=1"), Context().with_timeout(time));
    ASSERT_THAT(got, HasCode(Errc::timeout));
    EXPECT_EQ(got.error().message(),
              "GET " + server.origin() + "/list: the time given to the operation is over");
  }
}

TEST_F(CurlBreakTest, ASlowReaderIsNoStall) {
  const auto large = std::make_shared<const std::string>(pattern(24'000'000));
  HttpServer server([&](const HttpRequest&) { return HttpReply{.shared_body = large}; });
  CurlOptions options = plain_options();
  options.stall_timeout = 100ms;
  const auto transport = make_curl_transport(options);
  auto response = transport->send(get(server), soon());
  ASSERT_THAT(response, IsOk());
  (void)settled_bytes(server);  // takes three times the limit
  EXPECT_THAT(read_all(*response->body, large->size(), soon()), IsOkAndHolds(*large));
}

TEST_F(CurlBreakTest, HeadersHaveALimit) {
  std::string many = "HTTP/1.1 200 OK\r\n";
  while (many.size() < limits::kHeaderBytes) many += "X-Filler: " + std::string(1000, 'x') + "\r\n";
  EXPECT_THAT(fetch_reply({.raw = many + "\r\n"}), HasCode(Errc::too_large));
  const std::string one = "HTTP/1.1 200 OK\r\nX-Long: " + std::string(400'000, 'x') + "\r\n\r\n";
  EXPECT_THAT(fetch_reply({.raw = one}), HasCode(Errc::too_large));
  std::string interim;
  while (interim.size() < limits::kHeaderBytes + 1000)
    interim += "HTTP/1.1 103 Early Hints\r\n\r\n";
  EXPECT_THAT(fetch_reply({.raw = interim}), HasCode(Errc::too_large));
}

TEST_F(CurlBreakTest, WhatIsNotHttpIsNoAnswer) {
  EXPECT_THAT(fetch_reply({.raw = "SSH-2.0-OpenSSH_9.2\r\n"}), HasCode(Errc::corrupt));
  EXPECT_FALSE(fetch_reply({.raw = "HTTP/1.1 two OK\r\n\r\n"}).has_value());
}

TEST_F(CurlBreakTest, InterimAnswersAndTrailersAreNotTheHead) {
  EXPECT_THAT(fetch_reply({.raw = "HTTP/1.1 103 Early Hints\r\nX-A: early\r\n\r\n"
                                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n"}),
              IsOkAndHolds("hello"));
}

TEST_F(CurlBreakTest, WhatFollowsTheBodyIsNotPartOfIt) {
  EXPECT_THAT(fetch_reply({.body = "hello", .extra = "world"}), IsOkAndHolds("hello"));
}

TEST_F(CurlBreakTest, RequestsThatWouldBreakTheirOwnFramingAreRefused) {
  HttpServer server([](const HttpRequest&) { return HttpReply{}; });
  const auto transport = make_curl_transport(plain_options());
  Request request = get(server);
  request.headers.add("X-A", "b\r\nX-C: d");
  EXPECT_THAT(transport->send(request, soon()), HasCode(Errc::invalid_argument));
  request.headers = {};
  request.headers.add("X A", "b");
  EXPECT_THAT(transport->send(request, soon()), HasCode(Errc::invalid_argument));
  request.headers = {};
  request.authorization = Secret("Bearer a\nb");
  EXPECT_THAT(transport->send(request, soon()), HasCode(Errc::invalid_argument));
  request.authorization = Secret();
  request.method = "GET /evil HTTP/1.1\r\nX:";
  EXPECT_THAT(transport->send(request, soon()), HasCode(Errc::invalid_argument));
  EXPECT_EQ(server.requests(), 0);
}

}  // namespace
}  // namespace berth::http
