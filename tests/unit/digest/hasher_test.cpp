// SPDX-License-Identifier: Apache-2.0
#include "berth/digest/hasher.hpp"

#include <fcntl.h>

#include <array>

#include <gtest/gtest.h>

#include "berth/base/fd.hpp"
#include "berth/base/text.hpp"

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace berth {
namespace {

using test::HasCode;
using test::IsOk;

/// FIPS 180-4's messages, and their digests as coreutils' sha*sum computes them.
struct Vector {
  Algorithm algorithm;
  std::string message;
  std::string hex;
};

std::vector<Vector> vectors() {
  return {
      {Algorithm::sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {Algorithm::sha256, "abc",
       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {Algorithm::sha256, "{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
      {Algorithm::sha256, std::string(1'000'000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
      {Algorithm::sha384, "abc",
       "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
       "8086072ba1e7cc2358baeca134c825a7"},
      {Algorithm::sha512, "abc",
       "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
       "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
      {Algorithm::sha512, "",
       "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
       "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
  };
}

constexpr std::array kVerifiable = {Algorithm::sha256, Algorithm::sha384, Algorithm::sha512};

Hasher hasher_of(Algorithm algorithm, std::string_view text) {
  Hasher hasher = *Hasher::create(algorithm);
  hasher.update(as_bytes(text));
  return hasher;
}

TEST(HasherTest, ComputesTheStandardVectors) {
  for (const Vector& v : vectors()) {
    EXPECT_EQ(digest_of(as_bytes(v.message), v.algorithm).hex(), v.hex);
  }
}

TEST(HasherTest, GoesOnFromAFileWhereItStands) {
  test::TempDir dir;
  const std::string text(700'000, 'x');
  dir.write("file", text);
  const Fd fd = *open_at(AT_FDCWD, dir / "file", O_RDONLY);
  Hasher hasher = hasher_of(Algorithm::sha256, text.substr(0, 1000));
  std::uint64_t told = 0;
  ASSERT_THAT(update_from_file(hasher, fd.get(), text.size(), Context{},
                               [&](std::uint64_t bytes) { told += bytes; }),
              IsOk());
  EXPECT_EQ(told, text.size() - 1000);
  EXPECT_THAT(update_from_file(hasher, fd.get(), text.size() + 1, Context{}), HasCode(Errc::io));
  EXPECT_EQ(std::move(hasher).finish(), digest_of(as_bytes(text)));
}

TEST(HasherTest, PiecesMakeNoDifference) {
  for (const Algorithm algorithm : kVerifiable) {
    Hasher hasher = *Hasher::create(algorithm);
    std::string all;
    for (std::size_t length = 0; length < 300; ++length) {
      const std::string piece(length, static_cast<char>('a' + length % 26));
      hasher.update(as_bytes(piece));
      all += piece;
    }
    EXPECT_EQ(hasher.count(), all.size());
    EXPECT_EQ(std::move(hasher).finish(), digest_of(as_bytes(all), algorithm));
  }
}

TEST(HasherTest, IsTakenUpAtEveryByte) {
  std::string message;
  for (int i = 0; i < 300; ++i) message.push_back(static_cast<char>(i * 7));
  for (const Algorithm algorithm : kVerifiable) {
    const Digest whole = digest_of(as_bytes(message), algorithm);
    for (std::size_t cut = 0; cut <= message.size(); ++cut) {
      Hasher::State state;
      hasher_of(algorithm, message.substr(0, cut)).save(state);
      Result<Hasher> resumed = Hasher::resume(algorithm, state);
      ASSERT_THAT(resumed, IsOk());
      EXPECT_EQ(resumed->count(), cut);
      resumed->update(as_bytes(message).subspan(cut));
      ASSERT_EQ(std::move(*resumed).finish(), whole) << to_string(algorithm) << " at " << cut;
    }
  }
}

TEST(HasherTest, SavingDoesNotDisturb) {
  Hasher hasher = hasher_of(Algorithm::sha256, "a");
  Hasher::State state;
  hasher.save(state);
  hasher.update(as_bytes("bc"));
  EXPECT_EQ(std::move(hasher).finish(), digest_of(as_bytes("abc")));
}

/// The state after 2^29 bytes of zero, as an earlier berth wrote it.
Hasher::State state_after_half_a_gigabyte() {
  const std::string hex =
      "62657274686873010000000000000000000000200000000016"
      "5394c100000000103ed00e00000000e964104e0000000052068b2f00000000ad7427e500000000"
      "29a25e060000000046c2c3c90000000072c00c0e00000000" +
      std::string(320, '0') + "75e3b820be19d84f";
  Hasher::State state;
  EXPECT_EQ(hex.size(), 2 * state.size());
  for (std::size_t i = 0; i < state.size(); ++i) {
    state[i] = static_cast<std::byte>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  }
  return state;
}

TEST(HasherTest, TakesUpAStateOnDiskBeyondTheFirstWordOfItsLength) {
  // SHA-256 counts bits in two words of 32: 2^29 bytes fill the first.
  Result<Hasher> hasher = Hasher::resume(Algorithm::sha256, state_after_half_a_gigabyte());
  ASSERT_THAT(hasher, IsOk());
  EXPECT_EQ(hasher->count(), 536'870'912U);
  hasher->update(Bytes(1));
  // head -c 536870913 /dev/zero | sha256sum
  EXPECT_EQ(std::move(*hasher).finish().hex(),
            "7c40fe5ce847740d0f0d0cdde3949d6585804cdec3ae61a15b923165699c8137");
}

TEST(HasherTest, RefusesADamagedState) {
  Hasher::State state;
  hasher_of(Algorithm::sha256, "abc").save(state);
  for (std::size_t at = 0; at < state.size(); ++at) {
    Hasher::State damaged = state;
    damaged[at] ^= std::byte{0x10};
    EXPECT_THAT(Hasher::resume(Algorithm::sha256, damaged), HasCode(Errc::corrupt)) << at;
  }
  EXPECT_THAT(Hasher::resume(Algorithm::sha256, Hasher::State{}), HasCode(Errc::corrupt));
}

TEST(HasherTest, RefusesTheStateOfAnotherAlgorithm) {
  Hasher::State state;
  hasher_of(Algorithm::sha384, "abc").save(state);
  EXPECT_THAT(Hasher::resume(Algorithm::sha512, state), HasCode(Errc::corrupt));
  EXPECT_THAT(Hasher::resume(Algorithm::sha256, state), HasCode(Errc::corrupt));
}

TEST(HasherTest, ASavedStateIsTheSameOnEveryMachine) {
  Hasher::State state;
  hasher_of(Algorithm::sha256, "abc").save(state);
  EXPECT_EQ(as_text(state).substr(0, 7), "berthhs");
  EXPECT_EQ(text::to_hex(ByteView(state).subspan(7, 17)), "0100000000000000000300000000000000");
  EXPECT_EQ(text::to_hex(ByteView(state).subspan(24, 8)), "67e6096a00000000") << "H0 of FIPS 180-4";
  EXPECT_EQ(as_text(state).substr(88, 3), "abc");
}

TEST(HasherTest, CannotComputeBlake3AndSaysSo) {
  EXPECT_THAT(Hasher::create(Algorithm::blake3), HasCode(Errc::unsupported));
  EXPECT_THAT(verify({}, *Digest::parse("blake3:" + std::string(64, '0'))),
              HasCode(Errc::unsupported));
}

TEST(VerifyTest, ComparesAndNamesBothDigests) {
  const Digest right = digest_of(as_bytes("abc"));
  EXPECT_THAT(verify(as_bytes("abc"), right), IsOk());
  const Result<void> wrong = verify(as_bytes("abd"), right);
  ASSERT_THAT(wrong, HasCode(Errc::digest_mismatch));
  EXPECT_THAT(wrong.error().message(), testing::HasSubstr(right.text()));
  EXPECT_THAT(wrong.error().message(), testing::HasSubstr(digest_of(as_bytes("abd")).text()));
  EXPECT_THAT(verify(as_bytes("abc"), digest_of(as_bytes("abc"), Algorithm::sha512)), IsOk());
}

}  // namespace
}  // namespace berth
