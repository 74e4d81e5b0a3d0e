// SPDX-License-Identifier: Apache-2.0
#include "berth/base/text.hpp"

#include <array>
#include <limits>

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace berth::text {
namespace {

using test::HasCode;
using test::IsOkAndHolds;
using testing::ElementsAre;

TEST(EscapeTest, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(escape_for_terminal("plain, Grüße, 漢字, 👩‍🚀"),
            "plain, Grüße, 漢字, 👩‍🚀");
  EXPECT_EQ(escape_for_terminal(""), "");
}

TEST(EscapeTest, EscapesControlCharacters) {
  EXPECT_EQ(escape_for_terminal("a\x1b[31mb"), "a\\x1b[31mb");
  EXPECT_EQ(escape_for_terminal("a\nb\tc\x7f"), "a\\x0ab\\x09c\\x7f");
  EXPECT_EQ(escape_for_terminal(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(escape_for_terminal("\xc2\x9b"), "\\u{009b}") << "C1: a one-character escape sequence";
}

TEST(EscapeTest, EscapesWhatTurnsTextAround) {
  EXPECT_EQ(escape_for_terminal("a\u202eb"), "a\\u{202e}b");
  EXPECT_EQ(escape_for_terminal("\u2066\u2069\u061c\u200f"),
            "\\u{2066}\\u{2069}\\u{061c}\\u{200f}");
  EXPECT_EQ(escape_for_terminal("\u2028"), "\\u{2028}");
}

TEST(EscapeTest, EscapesInvalidUtf8ByteByByte) {
  EXPECT_EQ(escape_for_terminal("a\xff"), "a\\xff");
  EXPECT_EQ(escape_for_terminal("\xc0\x9b"), "\\xc0\\x9b") << "overlong";
  EXPECT_EQ(escape_for_terminal("\xe0\x82\x9b"), "\\xe0\\x82\\x9b") << "overlong C1";
  EXPECT_EQ(escape_for_terminal("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(escape_for_terminal("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "past U+10FFFF";
  EXPECT_EQ(escape_for_terminal("\xe2\x80"), "\\xe2\\x80") << "cut short";
  EXPECT_EQ(escape_for_terminal("\xe2\x80q"), "\\xe2\\x80q") << "what follows is kept";
}

TEST(TextTest, TrimsAsciiWhiteSpace) {
  EXPECT_EQ(trim(" \t\r\n a b \v\f"), "a b");
  EXPECT_EQ(trim(" \n "), "");
  EXPECT_EQ(trim(""), "");
}

TEST(TextTest, ComparesWithoutCaseInAsciiOnly) {
  EXPECT_EQ(to_lower("AbZ[ÄÖ"), "abz[ÄÖ");
  EXPECT_TRUE(equals_ignoring_case("Bearer", "bEARER"));
  EXPECT_FALSE(equals_ignoring_case("Bearer", "Bear"));
  EXPECT_FALSE(equals_ignoring_case("[", "{")) << "they differ in the bit that makes case";
}

TEST(TextTest, SplitKeepsEmptyParts) {
  EXPECT_THAT(split("a//b/", '/'), ElementsAre("a", "", "b", ""));
  EXPECT_THAT(split("", '/'), ElementsAre(""));
}

TEST(Base64Test, EncodesTheVectorsOfTheRfc) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kVectors{{
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  }};
  for (const auto& [plain, encoded] : kVectors) {
    EXPECT_EQ(to_base64(as_bytes(plain)), encoded);
    EXPECT_THAT(from_base64(encoded), IsOkAndHolds(plain));
  }
}

TEST(Base64Test, KnowsBothAlphabetsAndMissingPadding) {
  EXPECT_EQ(to_base64(as_bytes("\xfb\xff")), "+/8=");
  EXPECT_EQ(to_base64url(as_bytes("\xfb\xff")), "-_8");
  EXPECT_THAT(from_base64("+/8="), IsOkAndHolds("\xfb\xff"));
  EXPECT_THAT(from_base64("-_8"), IsOkAndHolds("\xfb\xff"));
}

TEST(Base64Test, RefusesAnythingElse) {
  for (const char* text : {"Z", "Zg=", "Zg===", "Zm9v=", "Zm9v====", "=", "Zm 9v", "Zm9v\n", "Zm=v",
                           "Zg==Zg==", "Zm9*"}) {
    EXPECT_THAT(from_base64(text), HasCode(Errc::invalid_argument)) << text;
  }
}

TEST(Base64Test, AnErrorDoesNotQuoteWhatMayBeAPassword) {
  EXPECT_THAT(from_base64("hunter2*").error().message(),
              testing::Not(testing::HasSubstr("hunter")));
}

TEST(HexTest, WritesLowerCase) { EXPECT_EQ(to_hex(as_bytes("\x01\xab\xff")), "01abff"); }

TEST(PercentTest, EncodesAllButUnreserved) {
  EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(percent_encode("a b/ü"), "a%20b%2F%C3%BC");
  EXPECT_EQ(percent_encode("a/b:c", "/:"), "a/b:c");
}

TEST(PercentTest, DecodesOrSaysWhere) {
  EXPECT_THAT(percent_decode("a%20b%2f%C3%bc+"), IsOkAndHolds("a b/ü+"));
  for (const char* text : {"%", "a%2", "%2g", "%g2"}) {
    EXPECT_THAT(percent_decode(text), HasCode(Errc::invalid_argument)) << text;
  }
  EXPECT_THAT(percent_decode("%41"), IsOkAndHolds("A")) << "an escape may end the text";
}

TEST(ParseUnsignedTest, TakesDigitsAndNothingElse) {
  EXPECT_THAT(parse_unsigned("0"), IsOkAndHolds(0U));
  EXPECT_THAT(parse_unsigned("18446744073709551615"),
              IsOkAndHolds(std::numeric_limits<unsigned long long>::max()));
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "1.0", "0x1", "18446744073709551616"}) {
    EXPECT_THAT(parse_unsigned(text), HasCode(Errc::invalid_argument)) << text;
  }
}

TEST(SizeTest, FormatsForPeople) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(1023), "1023 B");
  EXPECT_EQ(format_size(1024), "1.0 KiB");
  EXPECT_EQ(format_size(1536ULL << 20), "1.5 GiB");
  EXPECT_EQ(format_size((1ULL << 20) - 1), "1.0 MiB") << "never 1024.0 KiB";
  EXPECT_EQ(format_size(std::numeric_limits<unsigned long long>::max()), "16.0 EiB");
}

TEST(SizeTest, ReadsBytesAndUnits) {
  EXPECT_THAT(parse_size("1048576"), IsOkAndHolds(1048576U));
  EXPECT_THAT(parse_size("10GiB"), IsOkAndHolds(10ULL << 30));
  EXPECT_THAT(parse_size("500M"), IsOkAndHolds(500ULL << 20));
  EXPECT_THAT(parse_size("500MB"), IsOkAndHolds(500'000'000U));
  EXPECT_THAT(parse_size("1.5 gib"), IsOkAndHolds(1536ULL << 20));
  EXPECT_THAT(parse_size(" 312 B "), IsOkAndHolds(312U));
  EXPECT_THAT(parse_size("18446744073709551615"),
              IsOkAndHolds(std::numeric_limits<unsigned long long>::max()));
}

TEST(SizeTest, RefusesWhatIsNoSize) {
  for (const char* text : {"", "GiB", "1X", "1 GiBs", "-1", "1.5", "1..5K", "1e3", "16E", "1KiBB",
                           "0x10", "inf", "nan"}) {
    EXPECT_THAT(parse_size(text), HasCode(Errc::invalid_argument)) << text;
  }
}

TEST(Rfc3339Test, FormatsInUtc) {
  EXPECT_EQ(format_rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_rfc3339(1709210096), "2024-02-29T12:34:56Z");
  EXPECT_EQ(format_rfc3339(-1), "1969-12-31T23:59:59Z");
  EXPECT_EQ(format_rfc3339(std::numeric_limits<long long>::max()), "9999-12-31T23:59:59Z");
  EXPECT_EQ(format_rfc3339(std::numeric_limits<long long>::min()), "0000-01-01T00:00:00Z");
}

TEST(Rfc3339Test, ReadsAnyOffsetAndFraction) {
  EXPECT_EQ(parse_rfc3339("2024-02-29T12:34:56Z"), 1709210096);
  EXPECT_EQ(parse_rfc3339("2024-02-29t14:34:56.123456789+02:00"), 1709210096);
  EXPECT_EQ(parse_rfc3339("2024-02-29 05:04:56-07:30"), 1709210096);
  EXPECT_EQ(parse_rfc3339("1969-12-31T23:59:59Z"), -1);
  EXPECT_EQ(parse_rfc3339("2016-12-31T23:59:60Z"), 1483228800) << "a leap second";
}

TEST(Rfc3339Test, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z",
        "2024-02-29T24:00:00Z", "2024-02-29T12:60:00Z", "2024-02-29T12:34:61Z",
        "2024-02-29T12:34:56", "2024-02-29T12:34:56.Z", "2024-02-29T12:34:56+0200",
        "2024-02-29T12:34:56Zx", "2024-2-29T12:34:56Z", "20240229T123456Z", "2024-02-29",
        "2024-02-29T12:34:56+24:00", "+024-02-29T12:34:56Z"}) {
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
  }
}

TEST(Rfc3339Test, ReadsWhatItWrites) {
  for (long long time = -60'000'000'000; time < 250'000'000'000; time += 12'345'678'901) {
    EXPECT_EQ(parse_rfc3339(format_rfc3339(time)), time);
  }
}

}  // namespace
}  // namespace berth::text
