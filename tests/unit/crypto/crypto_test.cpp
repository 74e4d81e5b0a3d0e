// SPDX-License-Identifier: Apache-2.0
#include "berth/crypto/crypto.hpp"

#include <gtest/gtest.h>

#include "berth/base/text.hpp"

#include "support/matchers.hpp"

namespace berth::crypto {
namespace {

using test::IsOk;

TEST(RandomTest, GivesAsManyBytesAsAskedAndOthersEachTime) {
  const Result<Bytes> a = random_bytes(1000);
  const Result<Bytes> b = random_bytes(1000);
  ASSERT_THAT(a, IsOk());
  ASSERT_THAT(b, IsOk());
  EXPECT_EQ(a->size(), 1000U);
  EXPECT_NE(*a, *b);
  EXPECT_NE(Bytes(a->end() - 100, a->end()), Bytes(100)) << "the last bytes were never written";
  EXPECT_THAT(random_bytes(0), test::IsOkAndHolds(Bytes()));
}

TEST(HmacTest, ComputesTheVectorsOfRfc4231) {
  EXPECT_EQ(text::to_hex(hmac_sha256(Secret(std::string(20, '\x0b')), as_bytes("Hi There"))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(text::to_hex(hmac_sha256(Secret("Jefe"), as_bytes("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(text::to_hex(hmac_sha256(Secret(std::string(131, '\xaa')),
                                     as_bytes("Test Using Larger Than Block-Size Key - "
                                              "Hash Key First"))),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(HmacTest, TakesAnEmptyKeyAndMessage) {
  EXPECT_EQ(text::to_hex(hmac_sha256(Secret(), {})),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

}  // namespace
}  // namespace berth::crypto
