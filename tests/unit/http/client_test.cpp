// SPDX-License-Identifier: Apache-2.0
#include "berth/http/client.hpp"

#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "berth/base/log.hpp"
#include "berth/http/limits.hpp"

#include "support/fake_clock.hpp"
#include "support/matchers.hpp"
#include "unit/http/scripted_transport.hpp"

namespace berth::http {
namespace {

using namespace std::chrono_literals;
using test::FakeClock;
using test::HasCode;
using test::IsOk;
using test::IsOkAndHolds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Request get(const std::string& url = "https://registry.example/v2/") {
  Request request;
  request.url = *Url::parse(url);
  return request;
}

std::function<Result<Response>()> answers(
    int status, std::vector<std::pair<std::string, std::string>> headers = {},
    std::string body = {}) {
  return [=] { return Result<Response>(make_response(status, headers, body)); };
}

std::function<Result<Response>()> fails(Errc code) {
  return [=] { return Result<Response>(Error(code, "scripted")); };
}

class ClientTest : public testing::Test {
 protected:
  Client make(Transport& transport) {
    return Client(transport, {.retry = {.attempts = 4, .first_delay = 100ms}, .clock = &clock_});
  }
  FakeClock clock_;
};

TEST_F(ClientTest, AWaitThatEndsEarlySaysWhatItWasFor) {
  std::stop_source stop;
  ScriptedTransport transport([&](const Request&) {
    stop.request_stop();
    return make_response(503, {});
  });
  Client client = make(transport);
  const auto response = client.send(get("https://registry.example/v2/?secret=1"),
                                    Context().with_stop(stop.get_token()));
  ASSERT_THAT(response, HasCode(Errc::cancelled));
  EXPECT_EQ(response.error().message(),
            "GET https://registry.example/v2/: the operation was cancelled");
}

TEST_F(ClientTest, RepeatsWhatMaySucceedLater) {
  for (const int status : {408, 429, 500, 502, 503, 504}) {
    ScriptedTransport transport(
        in_order({answers(status), fails(Errc::unavailable), answers(200)}));
    Client client = make(transport);
    const auto response = client.send(get(), Context());
    ASSERT_THAT(response, IsOk());
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(client.counters().requests, 3U);
    EXPECT_EQ(client.counters().retries, 2U);
    EXPECT_EQ(client.counters().errors, 1U);
  }
}

TEST_F(ClientTest, RepeatsNothingElse) {
  for (const int status : {200, 304, 400, 401, 403, 404, 416, 501, 505}) {
    ScriptedTransport transport(in_order({answers(status)}));
    Client client = make(transport);
    EXPECT_EQ(client.send(get(), Context())->status, status);
    EXPECT_EQ(transport.asked.size(), 1U) << status;
  }
  for (const Errc code : {Errc::untrusted, Errc::timeout, Errc::cancelled, Errc::too_large}) {
    ScriptedTransport transport(in_order({fails(code)}));
    Client client = make(transport);
    EXPECT_THAT(client.send(get(), Context()), HasCode(code));
    EXPECT_EQ(transport.asked.size(), 1U);
  }
}

TEST_F(ClientTest, GivesTheLastAnswerWhenItHasTriedEnough) {
  ScriptedTransport transport(in_order({answers(503, {}, "sorry")}));
  Client client = make(transport);
  auto response = client.send(get(), Context());
  ASSERT_THAT(response, IsOk());
  EXPECT_EQ(response->status, 503);
  EXPECT_THAT(read_all(*response->body, 10, Context()), IsOkAndHolds("sorry"));
  EXPECT_EQ(transport.asked.size(), 4U);
  // The jitter may come out as no wait at all.
  EXPECT_LE(clock_.sleeps().size(), 3U);
  for (const auto& wait : clock_.sleeps()) EXPECT_LE(wait, 400ms);
}

TEST_F(ClientTest, RepeatsAPostOnlyWhenItMay) {
  Request post = get();
  post.method = "POST";
  ScriptedTransport once(in_order({answers(503), answers(200)}));
  EXPECT_EQ(make(once).send(post, Context())->status, 503);
  ScriptedTransport busy(in_order({answers(429), answers(200)}));
  EXPECT_EQ(make(busy).send(post, Context())->status, 200);
  post.repeatable = true;
  ScriptedTransport again(in_order({fails(Errc::unavailable), answers(200)}));
  EXPECT_EQ(make(again).send(post, Context())->status, 200);
}

TEST_F(ClientTest, WaitsAsLongAsTheServerAsks) {
  ScriptedTransport transport(
      in_order({answers(429, {{"Retry-After", "7"}}),
                answers(429, {{"Retry-After", "Thu, 01 Jan 2026 00:00:10 GMT"}}),
                answers(429, {{"Retry-After", "60"}}), answers(200)}));
  ASSERT_THAT(make(transport).send(get(), Context()), IsOk());
  EXPECT_THAT(clock_.sleeps(), ElementsAre(7s, 3s, 60s));
}

TEST_F(ClientTest, GivesTheAnswerOfAServerThatAsksForTooMuchTime) {
  ScriptedTransport transport(in_order({answers(429, {{"Retry-After", "61"}}), answers(200)}));
  const auto response = make(transport).send(get(), Context());
  ASSERT_THAT(response, IsOk());
  EXPECT_EQ(response->status, 429);
  EXPECT_TRUE(clock_.sleeps().empty());
}

TEST_F(ClientTest, DoesNotStartAWaitThatTheDeadlineForbids) {
  ScriptedTransport transport(in_order({answers(429, {{"Retry-After", "50"}})}));
  const auto response = make(transport).send(get(), Context().with_timeout(10s));
  ASSERT_THAT(response, IsOk());
  EXPECT_EQ(response->status, 429);
  EXPECT_TRUE(clock_.sleeps().empty());
}

TEST_F(ClientTest, FollowsRedirectsAndStripsTheCredentialForGood) {
  ScriptedTransport transport(in_order({
      answers(307, {{"Location", "/v2/moved"}}),
      answers(307, {{"Location", "https://storage.example/blob?sig=1"}}),
      answers(302, {{"Location", "https://registry.example/home"}}),
      answers(200),
  }));
  Request request = get();
  request.authorization = Secret("Bearer secret");
  request.headers.add("Range", "bytes=0-1");
  request.connection = std::make_shared<const ConnectionOptions>(ConnectionOptions{
      .ca_file = "/ca.pem", .client_cert_file = "/c.pem", .insecure_skip_verify = true});
  const auto response = make(transport).send(request, Context());
  ASSERT_THAT(response, IsOk());
  EXPECT_EQ(response->url.text(), "https://registry.example/home");
  ASSERT_EQ(transport.asked.size(), 4U);
  EXPECT_EQ(transport.asked[1].authorization.reveal(), "Bearer secret");
  EXPECT_EQ(transport.asked[1].connection, request.connection);
  for (std::size_t i : {2U, 3U}) {
    EXPECT_TRUE(transport.asked[i].authorization.empty());
    EXPECT_EQ(transport.asked[i].connection->ca_file, "/ca.pem");
    EXPECT_EQ(transport.asked[i].connection->client_cert_file, "");
    EXPECT_FALSE(transport.asked[i].connection->insecure_skip_verify);
    EXPECT_TRUE(transport.asked[i].forbidden_addresses.contains(AddressClass::loopback));
    EXPECT_EQ(*transport.asked[i].headers.find("range"), "bytes=0-1");
  }
}

TEST_F(ClientTest, AnotherPortOrSchemeIsAnotherOrigin) {
  const struct {
    const char* from;
    const char* to;
    bool keeps;
  } cases[] = {
      {"https://registry.example/v2/", "https://registry.example:8443/", false},
      {"https://registry.example/v2/", "https://registry.example:443/", true},
      {"https://registry.example/v2/", "https://REGISTRY.example/x", true},
      {"http://127.0.0.1/v2/", "https://127.0.0.1/", false},
      {"https://registry.example/v2/", "https://sub.registry.example/", false},
  };
  for (const auto& one : cases) {
    ScriptedTransport transport(in_order({answers(307, {{"Location", one.to}}), answers(200)}));
    Request request = get(one.from);
    request.authorization = Secret("Basic x");
    ASSERT_THAT(make(transport).send(request, Context()), IsOk()) << one.to;
    EXPECT_EQ(!transport.asked[1].authorization.empty(), one.keeps) << one.to;
  }
}

TEST_F(ClientTest, RefusesRedirectsAgainstThePolicy) {
  for (const char* location :
       {"http://storage.example/", "https://127.0.0.1/", "https://169.254.169.254/latest",
        "https://user:pw@storage.example/", "file:///etc/passwd"}) {
    ScriptedTransport transport(in_order({answers(307, {{"Location", location}}), answers(200)}));
    EXPECT_THAT(make(transport).send(get(), Context()), HasCode(Errc::untrusted)) << location;
    EXPECT_EQ(transport.asked.size(), 1U);
  }
}

TEST_F(ClientTest, PlainHttpIsNotPassedOnToAnotherHost) {
  ScriptedTransport transport(
      in_order({answers(307, {{"Location", "http://registry.test:81/"}}),
                answers(307, {{"Location", "http://other.test/"}}), answers(200)}));
  Request request = get("http://registry.test/");
  request.allow_plain_http = true;
  ASSERT_THAT(make(transport).send(request, Context()), IsOk());
  EXPECT_TRUE(transport.asked[1].allow_plain_http);
  EXPECT_FALSE(transport.asked[2].allow_plain_http);
}

TEST_F(ClientTest, EndsACircleOfRedirects) {
  ScriptedTransport transport(in_order({answers(307, {{"Location", "/v2/"}})}));
  EXPECT_THAT(make(transport).send(get(), Context()), HasCode(Errc::corrupt));
  EXPECT_EQ(transport.asked.size(), static_cast<std::size_t>(limits::kRedirects) + 1);
}

TEST_F(ClientTest, LeavesOtherRedirectsToTheCaller) {
  Request post = get();
  post.method = "POST";
  ScriptedTransport transport(in_order({answers(307, {{"Location", "https://evil.example/"}})}));
  EXPECT_EQ(make(transport).send(post, Context())->status, 307);
  Request stay = get();
  stay.follow_redirects = false;
  EXPECT_EQ(make(transport).send(stay, Context())->status, 307);
  ScriptedTransport no_location(in_order({answers(307)}));
  EXPECT_EQ(make(no_location).send(get(), Context())->status, 307);
}

TEST_F(ClientTest, LogsOneLineWithoutSecrets) {
  std::vector<std::string> lines;
  log::set_sink([&](log::Level, std::string_view line) { lines.emplace_back(line); },
                log::Level::debug);
  ScriptedTransport transport(in_order({answers(200)}));
  Request request = get("https://registry.example/v2/a?sig=hidden");
  request.authorization = Secret("Bearer hidden");
  request.headers.add("X-Key", "hidden");
  ASSERT_THAT(make(transport).send(request, Context()), IsOk());
  log::set_sink({}, log::Level::error);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr("GET https://registry.example/v2/a: 200"));
  EXPECT_THAT(lines[0], Not(HasSubstr("hidden")));
}

}  // namespace
}  // namespace berth::http
