// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/protocol.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace berth::credential {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ProtocolTest, StoreUnderstandsWhatGoWrites) {
  // docker's client escapes HTML and ends with a line feed.
  const auto request = parse_store_request(
      "{\"ServerURL\":\"https://y.example\",\"Username\":\"\\u003ctoken\\u003e\","
      "\"Secret\":\"p\\u0026w\"}\n");
  ASSERT_THAT(request, test::IsOk());
  EXPECT_EQ(request->server_url, "https://y.example");
  EXPECT_EQ(request->username, "<token>");
  EXPECT_EQ(request->secret.reveal(), "p&w");
}

TEST(ProtocolTest, StoreIgnoresCaseUnknownNamesAndWhatFollows) {
  const auto request = parse_store_request(
      R"({"serverurl":"a.b","USERNAME":"u","Secret":"","ExpiresAt":1} trailing)");
  ASSERT_THAT(request, test::IsOk());
  EXPECT_EQ(request->server_url, "a.b");
  EXPECT_EQ(request->username, "u");
  EXPECT_TRUE(request->secret.empty());
}

TEST(ProtocolTest, StoreRefusesWhatIsNoRequestAndNeverQuotesIt) {
  for (const char* bad : {"", "secret", "[\"secret\"]", R"({"Username":7,"Secret":"secret"})",
                          "{\"Secret\":\"secret\"", "{\"Secret\":\"secret\xff\"}"}) {
    const auto request = parse_store_request(bad);
    ASSERT_THAT(request, test::HasCode(Errc::corrupt)) << bad;
    EXPECT_THAT(request.error().describe(), Not(HasSubstr("secret"))) << bad;
  }
}

TEST(ProtocolTest, StoreRefusesControlCharactersInTheUserName) {
  EXPECT_THAT(parse_store_request(R"({"ServerURL":"a.b","Username":"u\nx","Secret":"s"})"),
              test::HasCode(Errc::invalid_argument));
  EXPECT_THAT(parse_store_request(R"({"ServerURL":"a.b","Username":"u\u0000","Secret":"s"})"),
              test::HasCode(Errc::invalid_argument));
}

TEST(ProtocolTest, GetAnswersOneObjectAndALineFeed) {
  Credential credential{.username = "al", .password = Secret("p:w\"\\")};
  EXPECT_EQ(
      get_answer("https://y.example", credential),
      "{\"ServerURL\":\"https://y.example\",\"Username\":\"al\",\"Secret\":\"p:w\\\"\\\\\"}\n");
  Credential token{.identity_token = Secret("R")};
  EXPECT_EQ(get_answer("y", token),
            "{\"ServerURL\":\"y\",\"Username\":\"<token>\",\"Secret\":\"R\"}\n");
}

TEST(ProtocolTest, ListIsAnObjectAlsoWhenItIsEmpty) {
  EXPECT_EQ(list_answer({}), "{}\n");
  EXPECT_EQ(list_answer({{"a", "u"}, {"b", "v"}}), "{\"a\":\"u\",\"b\":\"v\"}\n");
}

TEST(ProtocolTest, AListIsReadBack) {
  EXPECT_THAT(parse_list_answer("{\"a\":\"u\"}\n", "helper"),
              test::IsOkAndHolds(std::map<std::string, std::string>{{"a", "u"}}));
  EXPECT_THAT(parse_list_answer("null", "helper"),
              test::IsOkAndHolds(std::map<std::string, std::string>{}));
  for (const char* bad : {"", "[]", "{\"a\":1}", "rubbish"}) {
    EXPECT_THAT(parse_list_answer(bad, "helper"), test::HasCode(Errc::corrupt)) << bad;
  }
}

TEST(ProtocolTest, WhatIsAnsweredIsReadBack) {
  for (const Credential& given : {Credential{.username = "u", .password = Secret("ü\x01")},
                                  Credential{.identity_token = Secret("R")}}) {
    const auto back = parse_get_answer(get_answer("r", given), "helper");
    ASSERT_THAT(back, test::IsOk());
    ASSERT_TRUE(back->has_value());
    EXPECT_EQ((*back)->username, given.username);
    EXPECT_EQ((*back)->password, given.password);
    EXPECT_EQ((*back)->identity_token, given.identity_token);
  }
}

}  // namespace
}  // namespace berth::credential
