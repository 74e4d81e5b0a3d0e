// SPDX-License-Identifier: Apache-2.0
#include "berth/json/value.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace berth::json {
namespace {

using test::HasCode;
using test::IsOk;
using test::IsOkAndHolds;
using testing::HasSubstr;

Document parse(std::string_view text) {
  Result<Document> document = Document::parse(text);
  EXPECT_THAT(document, IsOk()) << text;
  return *std::move(document);
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(JsonTest, ReadsEveryType) {
  const Document d = parse(R"({"n":null,"b":true,"i":-5,"u":18446744073709551615,"d":1.5,
                               "s":"a\u00e9\n","a":[1,"x"],"o":{"k":"v"}})");
  const Value root = d.root();
  EXPECT_EQ(root.type(), Type::object);
  EXPECT_THAT(root.find("b")->as_bool(), IsOkAndHolds(true));
  EXPECT_THAT(root.find("i")->as_int(), IsOkAndHolds(-5));
  EXPECT_THAT(root.find("u")->as_unsigned(),
              IsOkAndHolds(std::numeric_limits<std::uint64_t>::max()));
  EXPECT_THAT(root.find("d")->as_double(), IsOkAndHolds(1.5));
  EXPECT_THAT(root.find("i")->as_double(), IsOkAndHolds(-5.0));
  EXPECT_THAT(root.find("s")->as_string(), IsOkAndHolds("aé\n"));
  const auto array = root.find("a")->as_array();
  ASSERT_THAT(array, IsOk());
  ASSERT_EQ(array->size(), 2U);
  EXPECT_THAT((*array)[1].as_string(), IsOkAndHolds("x"));
  EXPECT_THAT(root.find("o")->string_or_empty("k"), IsOkAndHolds("v"));
}

TEST(JsonTest, AMemberThatIsAbsentOrNullIsNotFound) {
  const Document d = parse(R"({"n":null,"a":[]})");
  EXPECT_FALSE(d.root().find("n"));
  EXPECT_FALSE(d.root().find("x"));
  EXPECT_FALSE(d.root().find("a")->find("x")) << "an array has no members";
  EXPECT_THAT(d.root().string_or_empty("n"), IsOkAndHolds(""));
  EXPECT_TRUE(Value().is_null());
}

TEST(JsonTest, KeepsTheOrderOfMembers) {
  const Document d = parse(R"({"z":1,"a":2,"m":null})");
  const auto members = d.root().as_object();
  ASSERT_THAT(members, IsOk());
  ASSERT_EQ(members->size(), 3U);
  EXPECT_EQ((*members)[0].first, "z");
  EXPECT_EQ((*members)[1].first, "a");
  EXPECT_TRUE((*members)[2].second.is_null());
}

TEST(JsonTest, AWrongTypeSaysWhatWasFound) {
  const Document d = parse(R"({"s":"x","n":1,"a":[],"z":null})");
  const Result<std::int64_t> number = d.root().find("s")->as_int();
  ASSERT_THAT(number, HasCode(Errc::corrupt));
  EXPECT_EQ(number.error().message(), "an integer was expected, not a string");
  EXPECT_THAT(d.root().find("n")->as_string(), HasCode(Errc::corrupt));
  EXPECT_THAT(d.root().find("a")->as_object(), HasCode(Errc::corrupt));
  EXPECT_THAT(d.root().as_array(), HasCode(Errc::corrupt));
  EXPECT_THAT(d.root().find("n")->as_bool(), HasCode(Errc::corrupt));
  EXPECT_THAT(d.root().find("s")->as_double(), HasCode(Errc::corrupt));
  EXPECT_THAT(d.root().string_or_empty("n").error().message(), HasSubstr("'n'"));
  EXPECT_THAT(Value().as_string(), HasCode(Errc::corrupt));
}

TEST(JsonTest, IntegersHaveNoFractionAndDoNotOverflow) {
  const Document d = parse(R"([1.0, 1e3, -1, 9223372036854775808, -9223372036854775808])");
  const auto items = d.root().as_array();
  ASSERT_THAT(items, IsOk());
  EXPECT_THAT((*items)[0].as_int(), HasCode(Errc::corrupt));
  EXPECT_THAT((*items)[1].as_unsigned(), HasCode(Errc::corrupt));
  EXPECT_THAT((*items)[2].as_unsigned(), HasCode(Errc::corrupt));
  EXPECT_THAT((*items)[3].as_int(), HasCode(Errc::corrupt));
  EXPECT_THAT((*items)[3].as_unsigned(), IsOkAndHolds(9223372036854775808U));
  EXPECT_THAT((*items)[4].as_int(), IsOkAndHolds(std::numeric_limits<std::int64_t>::min()));
  const auto too_big = Document::parse(R"({"size":18446744073709551616})");
  ASSERT_THAT(too_big, HasCode(Errc::corrupt));
  EXPECT_EQ(too_big.error().message(), "a number in the JSON text is beyond what 64 bits hold");
  const auto beside = Document::parse(R"({"size":18446744073709551616,})");
  ASSERT_THAT(beside, HasCode(Errc::corrupt));
  EXPECT_THAT(beside.error().message(), ::testing::HasSubstr("the text is not JSON: byte 30"));
  const auto marked = Document::parse("\xef\xbb\xbf{}");
  ASSERT_THAT(marked, HasCode(Errc::corrupt));
  EXPECT_THAT(marked.error().message(), ::testing::HasSubstr("a byte order mark"));
}

TEST(JsonTest, RefusesWhatRfc8259Forbids) {
  for (const char* text :
       {"",        " ",           "{",       "[1,]",  "{\"a\":1,}",    "{a:1}", "'a'",   "01",
        "+1",      ".5",          "1.",      "NaN",   "Infinity",      "nul",   "[1] x", "\"a\nb\"",
        "\"\\x\"", "\"\\ud800\"", "// c\n1", "{} {}", "\xef\xbb\xbf{}"}) {
    EXPECT_THAT(Document::parse(text), HasCode(Errc::corrupt)) << text;
  }
}

TEST(JsonTest, RefusesInvalidUtf8) {
  for (const char* text : {"\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xe2\x80\""}) {
    EXPECT_THAT(Document::parse(text), HasCode(Errc::corrupt)) << text;
  }
}

TEST(JsonTest, SaysWhereATextBreaks) {
  const Result<Document> document = Document::parse(R"({"a": 1, "b": })");
  ASSERT_THAT(document, HasCode(Errc::corrupt));
  EXPECT_THAT(document.error().message(), HasSubstr("byte 15"));
}

TEST(JsonTest, RefusesDuplicateKeysAtEveryDepth) {
  for (const char* text : {R"({"a":1,"a":1})", R"({"b":1,"a":1,"c":2,"a":null})",
                           R"([{"x":{"a":1,"\u0061":2}}])", R"({"":1,"":2})"}) {
    const Result<Document> document = Document::parse(text);
    ASSERT_THAT(document, HasCode(Errc::corrupt)) << text;
    EXPECT_THAT(document.error().message(), HasSubstr("twice")) << text;
  }
  EXPECT_THAT(Document::parse(R"({"a":{"a":1},"b":[{"a":1},{"a":1}],"A":1})"), IsOk());
}

TEST(JsonTest, RefusesWhatIsTooDeep) {
  EXPECT_THAT(Document::parse(nested(64)), IsOk());
  EXPECT_THAT(Document::parse(nested(65)), HasCode(Errc::corrupt));
  EXPECT_THAT(Document::parse(nested(1'000'000)), HasCode(Errc::corrupt));
  EXPECT_THAT(Document::parse(nested(8), {.bytes = 100, .depth = 8}), IsOk());
  EXPECT_THAT(Document::parse(nested(9), {.bytes = 100, .depth = 8}), HasCode(Errc::corrupt));
}

TEST(JsonTest, RefusesWhatIsTooLarge) {
  EXPECT_THAT(Document::parse("[1,2]", {.bytes = 5}), IsOk());
  EXPECT_THAT(Document::parse("[1,2]", {.bytes = 4}), HasCode(Errc::too_large));
}

TEST(JsonTest, ReadsScalarsAtTheRoot) {
  EXPECT_THAT(parse("\"x\"").root().as_string(), IsOkAndHolds("x"));
  EXPECT_THAT(parse(" 7 ").root().as_int(), IsOkAndHolds(7));
}

TEST(JsonTest, ValuesStayValidWhenTheDocumentMovesAndTheTextGoes) {
  auto text = std::make_unique<std::string>(R"({"key":"a string that is long enough"})");
  Document first = parse(*text);
  const std::optional<Value> value = first.root().find("key");
  text.reset();
  const Document second = std::move(first);
  EXPECT_THAT(value->as_string(), IsOkAndHolds("a string that is long enough"));
}

}  // namespace
}  // namespace berth::json
