// SPDX-License-Identifier: Apache-2.0
#include "credential/json_edit.hpp"

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace berth::credential {
namespace {

struct Sample {
  const char* before;
  JsonPath path;
  const char* after;
};

TEST(JsonEditTest, S321_SetsAMemberAsItsNeighboursAreLaidOut) {
  const Sample samples[] = {
      {"", {"a"}, "{\n\t\"a\": \"v\"\n}\n"},
      {" \n", {"a", "b"}, "{\n\t\"a\": {\n\t\t\"b\": \"v\"\n\t}\n}\n"},
      {"{}", {"a"}, "{\n\t\"a\": \"v\"\n}"},
      {R"({"x":1})", {"a"}, R"({"x":1,"a":"v"})"},
      {R"({"x": 1})", {"a"}, R"({"x": 1, "a": "v"})"},
      {R"({"x":1})", {"a", "b"}, R"({"x":1,"a":{"b":"v"}})"},
      {R"({ "x" : [1, {"a": 2}] , "y": "}\"{" })",
       {"a"},
       R"({ "x" : [1, {"a": 2}] , "y": "}\"{" , "a" : "v" })"},
      {"{\n  \"x\": 1\n}\n", {"a", "b"}, "{\n  \"x\": 1,\n  \"a\": {\n    \"b\": \"v\"\n  }\n}\n"},
      {"{\r\n\t\"a\": \"old\"\r\n}", {"a"}, "{\r\n\t\"a\": \"v\"\r\n}"},
      {R"({"A":"old","x":1.10})", {"a"}, R"({"A":"v","x":1.10})"},
      {R"({"a":null})", {"a", "b"}, R"({"a":{"b":"v"}})"},
      {R"({"a":{"b":1,"B":2}})", {"a", "b"}, R"({"a":{"b":"v","B":2}})"},
      {R"({"a":{}})", {"a", "b"}, R"({"a":{"b":"v"}})"},
      {R"({"\u0061":1})", {"a"}, R"({"\u0061":"v"})"},
      {"\xEF\xBB\xBF{\"x\":1}", {"a"}, "\xEF\xBB\xBF{\"x\":1,\"a\":\"v\"}"},
  };
  for (const Sample& sample : samples) {
    const auto changed = with_member(sample.before, sample.path, "v");
    ASSERT_THAT(changed, test::IsOk()) << sample.before;
    EXPECT_EQ(*changed, sample.after);
  }
}

TEST(JsonEditTest, TakesAMemberAway) {
  const Sample samples[] = {
      {"", {"a"}, ""},
      {R"({"x":1})", {"a"}, R"({"x":1})"},
      {"{\n\t\"a\": 1\n}\n", {"a"}, "{}\n"},
      {"{\n\t\"a\": 1,\n\t\"b\": 2\n}", {"a"}, "{\n\t\"b\": 2\n}"},
      {"{\n\t\"a\": 1,\n\t\"b\": 2\n}", {"b"}, "{\n\t\"a\": 1\n}"},
      {R"({"a":{"b":1,"c":{"b":2}},"d":3})", {"a", "b"}, R"({"a":{"c":{"b":2}},"d":3})"},
      {R"({"a":null})", {"a", "b"}, R"({"a":null})"},
  };
  for (const Sample& sample : samples) {
    const auto changed = without_member(sample.before, sample.path);
    ASSERT_THAT(changed, test::IsOk()) << sample.before;
    EXPECT_EQ(*changed, sample.after);
  }
}

TEST(JsonEditTest, WhatItCannotTellApartIsAnError) {
  EXPECT_THAT(with_member(R"({"a":1,"A":2})", {"a"}, "v"), test::HasCode(Errc::corrupt));
  EXPECT_THAT(without_member(R"({"a":1,"a":2})", {"a"}), test::HasCode(Errc::corrupt));
  EXPECT_THAT(with_member(R"({"a":[1]})", {"a", "b"}, "v"), test::HasCode(Errc::corrupt));
  EXPECT_THAT(with_member(R"({"a":{"b":1,"b":2}})", {"a", "b"}, "v"), test::HasCode(Errc::corrupt));
}

TEST(JsonEditTest, AValueIsQuoted) {
  EXPECT_EQ(*with_member("{}", {"a\n"}, "\"\\"), "{\n\t\"a\\n\": \"\\\"\\\\\"\n}");
}

}  // namespace
}  // namespace berth::credential
