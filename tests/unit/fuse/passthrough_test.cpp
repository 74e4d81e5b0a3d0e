// SPDX-License-Identifier: Apache-2.0
#include "fuse/passthrough.hpp"

#include <cstring>

#include <gtest/gtest.h>

namespace berth::test {
namespace {

using fuse::Passthrough;

constexpr std::uint32_t kExtended = 1U << 30;
constexpr std::uint32_t kThrough = 1U << 5;

/// The kernel's first request: 40 bytes of header, then 64 of which the fifth word is flags2.
std::vector<std::byte> first_request(std::uint32_t flags, std::uint32_t flags2,
                                     std::uint32_t opcode = 26, std::uint64_t unique = 7) {
  std::vector<std::byte> bytes(104);
  const std::uint32_t words[] = {7, 45, 131072, flags, flags2};
  std::memcpy(&bytes[4], &opcode, 4);
  std::memcpy(&bytes[8], &unique, 8);
  std::memcpy(&bytes[40], words, sizeof words);
  return bytes;
}

/// libfuse's answer to it: 16 bytes of header, and 64 whose fourth word are the flags.
struct Answer {
  explicit Answer(std::uint64_t unique = 7, std::int32_t error = 0) {
    std::memcpy(&header[4], &error, 4);
    std::memcpy(&header[8], &unique, 8);
    const std::uint32_t words[] = {7, 31, 131072, 1};
    std::memcpy(body.data(), words, sizeof words);
    body[48] = std::byte{9};
  }
  std::vector<iovec> parts() {
    return {{header.data(), header.size()}, {body.data(), body.size()}};
  }
  std::array<std::byte, 16> header{};
  std::array<std::byte, 64> body{};
};

std::uint32_t word(const iovec& part, std::size_t index) {
  std::uint32_t out = 0;
  std::memcpy(&out, static_cast<const std::byte*>(part.iov_base) + 4 * index, 4);
  return out;
}

TEST(PassthroughTest, AddsItsFlagsToTheFirstAnswerAndLeavesTheRest) {
  Passthrough passthrough;
  passthrough.received(first_request(kExtended, kThrough));
  Answer answer;
  const auto sent = passthrough.sending(answer.parts());
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].iov_base, answer.header.data());
  EXPECT_EQ(sent[1].iov_len, answer.body.size());
  EXPECT_EQ(word(sent[1], 1), 31u);
  EXPECT_EQ(word(sent[1], 3), 1u | kExtended);
  EXPECT_EQ(word(sent[1], 8), kThrough);
  EXPECT_EQ(word(sent[1], 9), 1u) << "max_stack_depth";
  EXPECT_EQ(word(sent[1], 12), 9u) << "a field that it does not know";
  EXPECT_TRUE(passthrough.active());
}

TEST(PassthroughTest, ChangesOnlyTheAnswerToTheFirstRequest) {
  Passthrough passthrough;
  passthrough.received(first_request(kExtended, kThrough));
  Answer other(8), failed(7, -71), first;
  for (Answer* answer : {&other, &failed}) {
    const auto sent = passthrough.sending(answer->parts());
    EXPECT_EQ(sent[1].iov_base, answer->body.data());
  }
  EXPECT_FALSE(passthrough.active());
  EXPECT_NE(passthrough.sending(first.parts())[1].iov_base, first.body.data());
  EXPECT_EQ(passthrough.sending(first.parts())[1].iov_base, first.body.data()) << "twice";
}

TEST(PassthroughTest, ChangesNothingWhereItIsNotOffered) {
  const auto is_changed = [](const std::vector<std::byte>& request, bool allowed = true) {
    Passthrough passthrough;
    if (!allowed) passthrough.forbid();
    passthrough.received(request);
    Answer answer;
    return passthrough.sending(answer.parts())[1].iov_base != answer.body.data();
  };
  EXPECT_TRUE(is_changed(first_request(kExtended, kThrough)));
  EXPECT_FALSE(is_changed(first_request(kExtended, ~kThrough)));
  EXPECT_FALSE(is_changed(first_request(0, kThrough))) << "flags2 of an older kernel is rubbish";
  EXPECT_FALSE(is_changed(first_request(kExtended, kThrough, 1))) << "a lookup";
  EXPECT_FALSE(is_changed({std::byte{1}}));
  EXPECT_FALSE(is_changed(first_request(kExtended, kThrough), false)) << "-o passthrough=off";
}

TEST(PassthroughTest, WhatWasNotAgreedUponIsServed) {
  Passthrough passthrough;
  const Passthrough::Way way = passthrough.opened(1, 0);
  EXPECT_TRUE(way.counted);
  EXPECT_EQ(way.backing, 0);
  EXPECT_FALSE(passthrough.closed(1, way)) << "its pages are still of use";
  EXPECT_FALSE(passthrough.closed(1, {})) << "one that was never counted";
}

}  // namespace
}  // namespace berth::test
