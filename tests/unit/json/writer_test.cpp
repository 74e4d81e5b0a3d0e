// SPDX-License-Identifier: Apache-2.0
#include "berth/json/writer.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "berth/json/value.hpp"

#include "support/matchers.hpp"

namespace berth::json {
namespace {

using test::IsOkAndHolds;

Node sample() {
  Node node = Node::object();
  node.set("z", 1);
  node.set("a", Node::Array{nullptr, true, 1.5, "x"});
  node.set("empty", Node::object());
  return node;
}

TEST(WriterTest, WritesCompactlyInTheOrderGiven) {
  EXPECT_EQ(sample().to_text(), R"({"z":1,"a":[null,true,1.5,"x"],"empty":{}})");
}

TEST(WriterTest, Indents) {
  EXPECT_EQ(sample().to_text(2), R"({
  "z": 1,
  "a": [
    null,
    true,
    1.5,
    "x"
  ],
  "empty": {}
})");
}

TEST(WriterTest, WritesWholeNumbersExactly) {
  EXPECT_EQ(Node(std::numeric_limits<std::uint64_t>::max()).to_text(), "18446744073709551615");
  EXPECT_EQ(Node(std::numeric_limits<std::int64_t>::min()).to_text(), "-9223372036854775808");
  EXPECT_EQ(Node(0.1).to_text(), "0.1");
  EXPECT_EQ(Node(std::numeric_limits<double>::quiet_NaN()).to_text(), "null");
}

TEST(WriterTest, EscapesStrings) {
  EXPECT_EQ(Node("a\"b\\c\n\x01").to_text(), R"("a\"b\\c\n\u0001")");
  EXPECT_EQ(Node("é漢/").to_text(), "\"é漢/\"");
  Node node = Node::object();
  node.set("a\"b", "");
  EXPECT_EQ(node.to_text(), R"({"a\"b":""})");
}

TEST(WriterTest, ReplacesInvalidUtf8) {
  EXPECT_EQ(Node("a\xff"
                 "b")
                .to_text(),
            "\"a\uFFFDb\"");
  EXPECT_EQ(Node("\xe2\x80").to_text(), "\"\uFFFD\"");
  Node node = Node::object();
  node.set("\xff", 1);
  EXPECT_EQ(node.to_text(), "{\"\uFFFD\":1}");
}

TEST(WriterTest, AppendsToArrays) {
  Node node = Node::array();
  EXPECT_EQ(node.to_text(), "[]");
  node.push_back(1);
  node.push_back("x");
  EXPECT_EQ(node.to_text(), R"([1,"x"])");
}

TEST(WriterTest, WritesWhatTheReaderReads) {
  std::string all;
  for (int c = 0; c < 128; ++c) all.push_back(static_cast<char>(c));
  Node node = Node::object();
  node.set("text", all);
  for (const int indent : {-1, 0, 4}) {
    const Result<Document> document = Document::parse(node.to_text(indent));
    ASSERT_THAT(document, test::IsOk());
    EXPECT_THAT(document->root().string_or_empty("text"), IsOkAndHolds(all));
  }
}

}  // namespace
}  // namespace berth::json
