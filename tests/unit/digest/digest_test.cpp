// SPDX-License-Identifier: Apache-2.0
#include "berth/digest/digest.hpp"

#include <unordered_set>

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace berth {
namespace {

using test::HasCode;
using test::IsOk;
using testing::HasSubstr;

const std::string kHex64(64, 'a');

TEST(DigestTest, ParsesTheRegisteredAlgorithms) {
  const Result<Digest> digest = Digest::parse("sha256:" + kHex64);
  ASSERT_THAT(digest, IsOk());
  EXPECT_EQ(digest->algorithm(), Algorithm::sha256);
  EXPECT_EQ(digest->algorithm_name(), "sha256");
  EXPECT_EQ(digest->hex(), kHex64);
  EXPECT_EQ(digest->text(), "sha256:" + kHex64);
  EXPECT_TRUE(digest->is_verifiable());
  EXPECT_THAT(Digest::parse("sha384:" + std::string(96, '0')), IsOk());
  EXPECT_THAT(Digest::parse("sha512:" + std::string(128, '9')), IsOk());
}

TEST(DigestTest, NamesBlake3AndCannotVerifyIt) {
  const Result<Digest> digest = Digest::parse("blake3:" + kHex64);
  ASSERT_THAT(digest, IsOk());
  EXPECT_FALSE(digest->is_verifiable());
}

TEST(DigestTest, RefusesWhatIsNotExactlyADigest) {
  const std::string short_hex(63, 'a');
  for (const std::string& text :
       {std::string(), std::string("sha256"), std::string("sha256:"), "sha256:" + short_hex,
        "sha256:" + kHex64 + "a", "sha256:" + short_hex + "A", "sha256:" + short_hex + "g",
        "SHA256:" + kHex64, " sha256:" + kHex64, "sha256:" + kHex64 + "\n", ":" + kHex64,
        "sha256:sha256:" + kHex64, "sha512:" + kHex64, "sha256-" + kHex64, "+sha256:" + kHex64,
        "sha256+:" + kHex64, "sha..256:" + kHex64,
        std::string("sha256:") + std::string(64, '\0')}) {
    EXPECT_THAT(Digest::parse(text), HasCode(Errc::invalid_argument)) << text;
  }
}

TEST(DigestTest, RefusesAPathInItsPlace) {
  EXPECT_THAT(Digest::parse("sha256:../../../etc/passwd"), HasCode(Errc::invalid_argument));
  EXPECT_THAT(Digest::parse("../x:" + kHex64), HasCode(Errc::invalid_argument));
  EXPECT_THAT(Digest::from_parts("sha256", "/" + std::string(63, 'a')),
              HasCode(Errc::invalid_argument));
}

TEST(DigestTest, NamesAnAlgorithmThatIsNotRegistered) {
  for (const char* text : {"md5:d41d8cd98f00b204e9800998ecf8427e",
                           "multihash+base58:QmRZxt2b1=", "sha256.foo-bar_baz:XYZ"}) {
    const Result<Digest> digest = Digest::parse(text);
    ASSERT_THAT(digest, HasCode(Errc::unsupported)) << text;
    EXPECT_THAT(digest.error().message(),
                HasSubstr(std::string(text).substr(0, std::string_view(text).find(':'))));
  }
}

TEST(DigestTest, AMessageQuotesOnlyTheStartOfNonsense) {
  const Result<Digest> digest = Digest::parse("sha256:" + std::string(1'000'000, '!'));
  ASSERT_THAT(digest, HasCode(Errc::invalid_argument));
  EXPECT_LT(digest.error().message().size(), 500U);
}

TEST(DigestTest, FromPartsIsParse) {
  const Result<Digest> a = Digest::from_parts("sha256", kHex64);
  const Result<Digest> b = Digest::parse("sha256:" + kHex64);
  ASSERT_THAT(a, IsOk());
  EXPECT_EQ(*a, *b);
}

TEST(DigestTest, IsAValueToSortAndHash) {
  const Digest a = *Digest::parse("sha256:" + std::string(64, 'a'));
  const Digest b = *Digest::parse("sha256:" + std::string(64, 'b'));
  const Digest blake = *Digest::parse("blake3:" + std::string(64, 'a'));
  EXPECT_LT(a, b);
  EXPECT_NE(a, blake) << "the same digits of another algorithm";
  EXPECT_EQ((std::unordered_set<Digest>{a, b, a, blake}.size()), 3U);
}

}  // namespace
}  // namespace berth
