// SPDX-License-Identifier: Apache-2.0
#include "berth/http/message.hpp"

#include <string>

#include <gmock/gmock.h>

#include "berth/base/text.hpp"
#include "berth/http/client.hpp"
#include "berth/http/limits.hpp"

#include "http/error_body.hpp"
#include "support/matchers.hpp"
#include "unit/http/scripted_transport.hpp"

namespace berth::http {
namespace {

using namespace std::chrono_literals;
using test::HasCode;
using test::IsOkAndHolds;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(HeadersTest, NamesCompareWithoutCase) {
  Headers headers;
  headers.add("Link", "one");
  headers.add("link", "two");
  EXPECT_EQ(*headers.find("LINK"), "one");
  EXPECT_THAT(headers.all("Link"), ElementsAre("one", "two"));
  headers.set("lInK", "three");
  EXPECT_THAT(headers.all("Link"), ElementsAre("three"));
  headers.remove("LINK");
  EXPECT_EQ(headers.find("link"), nullptr);
}

TEST(ResponseTest, ContentLengthIsStrict) {
  Response response;
  EXPECT_EQ(response.content_length(), std::nullopt);
  for (const char* bad : {"", "-1", "1,1", "0x10", "1 2", "99999999999999999999"}) {
    response.headers.set("Content-Length", bad);
    EXPECT_EQ(response.content_length(), std::nullopt) << bad;
  }
  response.headers.set("Content-Length", "12");
  response.headers.add("content-length", "12");
  EXPECT_EQ(response.content_length(), 12U);
  response.headers.add("content-length", "13");
  EXPECT_EQ(response.content_length(), std::nullopt);
}

TEST(ContentRangeTest, ReadsItsForms) {
  EXPECT_EQ(parse_content_range("bytes 5-9/100"), (ContentRange{5, 9, 100}));
  EXPECT_EQ(parse_content_range("Bytes 0-0/*"), (ContentRange{0, 0, std::nullopt}));
  for (const char* bad : {"", "5-9/100", "bytes */100", "bytes 9-5/100", "bytes 5-100/100",
                          "bytes 5-9", "bytes -9/100", "items 5-9/100", "bytes 5-9/x"}) {
    EXPECT_EQ(parse_content_range(bad), std::nullopt) << bad;
  }
}

TEST(ReadAllTest, StopsAtItsLimit) {
  EXPECT_THAT(read_all(*make_string_body("12345"), 5, Context()), IsOkAndHolds("12345"));
  EXPECT_THAT(read_all(*make_string_body("123456"), 5, Context()), HasCode(Errc::too_large));
}

TEST(ErrorBodyTest, ReadsWhatRegistriesSend) {
  const struct {
    const char* body;
    const char* code;
    const char* message;
  } cases[] = {
      {R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"a":[1,{}]}},
          {"code":"X"}]})",
       "MANIFEST_UNKNOWN", "manifest unknown"},
      {R"({"x":null,"errors":[{"detail":"d","message":"m"}]})", "", "m"},
      {R"({"error":"invalid_grant","error_description":"AADSTS"})", "invalid_grant", "AADSTS"},
      {R"({"error":{"code":"TooMany","message":"slow down"}})", "TooMany", "slow down"},
      {R"({"details":"incorrect username or password"})", "", "incorrect username or password"},
      {R"({"errors":[],"message":"m"})", "", "m"},
      {R"({"errors":[{"code":"A\u0042\n\"","message":"\ud83d\ude00\u00e9"}]})", "AB\n\"",
       "\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9"},
      {R"({"errors":[{"code":7,"message":"m"}]})", "", "m"},
      {R"({"errors":[{"code":"CUT","mess)", "CUT", ""},
      {"<html>502 Bad Gateway</html>", "", ""},
      {"", "", ""},
      {"[", "", ""},
      {"{", "", ""},
      {R"({"errors":)", "", ""},
      {R"({"errors":[{"code":"\u12)", "", ""},
  };
  for (const auto& c : cases) {
    const RegistryError error = parse_error_body(c.body);
    EXPECT_EQ(error.code, c.code) << c.body;
    EXPECT_EQ(error.message, c.message) << c.body;
  }
}

TEST(ErrorBodyTest, KeepsTheDetailAsItCame) {
  const auto detail = [](const std::string& text) {
    return parse_error_body(R"({"errors":[{"code":"X","detail":)" + text + "}]}").detail;
  };
  EXPECT_EQ(detail(R"({"Tag": "v1"} )"), R"({"Tag": "v1"})");
  EXPECT_EQ(detail(R"([{"Type":"repository"}])"), R"([{"Type":"repository"}])");
  EXPECT_EQ(detail("\"words\""), "\"words\"");
  EXPECT_EQ(detail("null"), "");
  EXPECT_EQ(detail("{\"cut"), "");
  EXPECT_EQ(detail('"' + std::string(5000, 'x') + '"'), "");
}

TEST(ErrorBodyTest, SurvivesDepthAndLength) {
  (void)parse_error_body("{\"a\":" + std::string(100'000, '['));
  (void)parse_error_body("{\"a\":" + std::string(100'000, '{'));
  const auto error = parse_error_body(R"({"message":")" + std::string(5000, 'x') + R"("})");
  EXPECT_EQ(error.message.size(), 1024U);
}

TEST(ErrorFromTest, MapsStatusToCode) {
  const struct {
    int status;
    Errc code;
    bool again;
  } cases[] = {
      {400, Errc::invalid_argument, false}, {401, Errc::unauthenticated, false},
      {403, Errc::denied, false},           {404, Errc::not_found, false},
      {405, Errc::unsupported, false},      {408, Errc::unavailable, true},
      {409, Errc::conflict, false},         {413, Errc::too_large, false},
      {416, Errc::invalid_argument, false}, {429, Errc::rate_limited, true},
      {500, Errc::unavailable, true},       {501, Errc::unsupported, false},
      {503, Errc::unavailable, true},       {204, Errc::corrupt, false},
      {307, Errc::corrupt, false},
  };
  for (const auto& c : cases) {
    Response response = make_response(c.status, {});
    const Error error = error_from(response, "GET", "op", {}, Context());
    EXPECT_EQ(error.code(), c.code) << c.status;
    EXPECT_EQ(error.is_retryable(), c.again) << c.status;
    EXPECT_EQ(error.http()->status, c.status);
  }
  Response response = make_response(503, {});
  EXPECT_FALSE(error_from(response, "POST", "op", {}, Context()).is_retryable());
}

TEST(ErrorFromTest, ALoginIsAtTheHostWithItsPortAndAtNoTokenServer) {
  const auto message = [](Login login) {
    Response response = make_response(401, {});
    response.url = *Url::parse("http://127.0.0.1:5000/v2/");
    return error_from(response, "GET", "x", {}, Context(), login).message();
  };
  EXPECT_THAT(message(Login::here), testing::HasSubstr("`docker login 127.0.0.1:5000`"));
  EXPECT_THAT(message(Login::elsewhere), testing::Not(testing::HasSubstr("log in")));
}

TEST(ErrorFromTest, ALockOnReadingIsNamed) {
  const auto message = [](const char* method) {
    Response response =
        make_response(405, {}, R"({"errors":[{"code":"REGISTRY_DISALLOWED_OPERATION"}]})");
    return error_from(response, method, "x", {}, Context()).message();
  };
  EXPECT_THAT(message("GET"), testing::HasSubstr("can_read is false"));
  EXPECT_THAT(message("PUT"), testing::HasSubstr("can_write or can_delete is false"));
}

TEST(ErrorFromTest, SaysWhatWasAskedWhatTheRegistrySaidAndWhatToDo) {
  Response response =
      make_response(401, {{"X-Ms-Correlation-Request-Id", "id-1"}, {"Retry-After", "5"}},
                    R"({"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]})");
  response.url = *Url::parse("https://registry.example/v2/a/manifests/v1?sig=hidden");
  const Error error =
      error_from(response, "GET", "manifest of registry.example/a:v1", {}, Context());
  EXPECT_EQ(error.message(),
            "manifest of registry.example/a:v1: the registry asks for credentials, or refused "
            "those that it got (HTTP 401 UNAUTHORIZED: authentication required); log in with "
            "`docker login registry.example` or `podman login registry.example`");
  EXPECT_EQ(error.http()->url, "https://registry.example/v2/a/manifests/v1");
  EXPECT_EQ(error.http()->method, "GET");
  EXPECT_EQ(error.http()->registry_code, "UNAUTHORIZED");
  EXPECT_EQ(error.http()->registry_message, "authentication required");
  EXPECT_EQ(error.http()->correlation_id, "id-1");
  EXPECT_EQ(error.http()->retry_after, 5s);
}

TEST(ErrorFromTest, ABodyThatBreaksOrHasNoEndIsNoObstacle) {
  Response response = make_response(502, {});
  auto body = std::make_unique<ScriptedBody>();
  body->pieces.emplace_back(std::string(limits::kErrorBody, ' '));
  body->pieces.emplace_back(std::string("never looked at"));
  ScriptedBody* raw = body.get();
  response.body = std::move(body);
  EXPECT_EQ(error_from(response, "GET", "op", {}, Context()).code(), Errc::unavailable);
  EXPECT_EQ(raw->pieces.size(), 1U);
  response.body = std::make_unique<ScriptedBody>();
  static_cast<ScriptedBody&>(*response.body).pieces.emplace_back(broken());
  EXPECT_THAT(error_from(response, "GET", "op", {}, Context()).message(), HasSubstr("HTTP 502"));
}

TEST(ErrorFromTest, WhatTheServerSaidCannotActOnATerminal) {
  Response response = make_response(
      500, {{"X-Request-Id", "id\x1b[2J"}},
      "{\"errors\":[{\"code\":\"A\\u001b[31m\",\"message\":\"red\\u202etxt\\nline\"}]}");
  const Error error = error_from(response, "GET", "op", {}, Context());
  EXPECT_EQ(text::escape_for_terminal(error.message()), error.message());
  EXPECT_THAT(error.message(), HasSubstr("\\x1b[31m"));
  EXPECT_THAT(error.message(), HasSubstr("\\u{202e}"));
}

}  // namespace
}  // namespace berth::http
