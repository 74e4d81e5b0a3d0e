// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/registry/registry_fixture.hpp"

namespace berth::test {
namespace {

class BlobsTest : public RegistryTest {
 protected:
  void SetUp() override {
    content_ = pattern_bytes(300'000);
    digest_ = digest(fake_.add_blob("r", content_));
    empty_ = digest(fake_.add_blob("r", ""));
  }

  Result<registry::BlobStream> open(std::uint64_t offset = 0,
                                    std::optional<std::uint64_t> length = {}) {
    return client().get_blob("r", *digest_, offset, length, context_);
  }
  Result<std::string> get(std::uint64_t offset = 0, std::optional<std::uint64_t> length = {}) {
    return read(open(offset, length));
  }
  std::string part(std::size_t offset, std::size_t length) const {
    return content_.substr(offset, length);
  }
  void change(const std::function<void(RegistryBehaviour&)>& how) { fake_.change(how); }

  std::string content_;
  std::optional<Digest> digest_;
  std::optional<Digest> empty_;
};

TEST_F(BlobsTest, HeadTellsSizeAndRanges) {
  auto head = client().head_blob("r", *digest_, context_);
  ASSERT_THAT(head, IsOk());
  EXPECT_EQ(head->size, content_.size());
  EXPECT_TRUE(head->accepts_ranges);
  change([](auto& behaviour) { behaviour.ranges = false; });
  head = client().head_blob("r", *digest_, context_);
  ASSERT_THAT(head, IsOk());
  EXPECT_FALSE(head->accepts_ranges);
}

TEST_F(BlobsTest, HeadThatIsNotOfferedAsksForAByte) {
  change([](auto& behaviour) { behaviour.head = false; });
  auto head = client().head_blob("r", *digest_, context_);
  ASSERT_THAT(head, IsOk());
  EXPECT_EQ(head->size, content_.size());
  EXPECT_TRUE(head->accepts_ranges);
  EXPECT_EQ(fake_.server().wait_for_body_bytes(1), 1U);
  head = client().head_blob("r", *empty_, context_);
  ASSERT_THAT(head, IsOk());
  EXPECT_EQ(head->size, 0U);
}

TEST_F(BlobsTest, StorageThatRefusesHeadIsAskedForAByte) {
  change([](auto& behaviour) { behaviour.redirect_blobs = true; });
  fake_.fault(fake_.storage(), {.method = "HEAD"}, fault::status(403));
  const auto head = client().head_blob("r", *digest_, context_);
  ASSERT_THAT(head, IsOk());
  EXPECT_EQ(head->size, content_.size());
}

TEST_F(BlobsTest, GetsTheWholeAndParts) {
  const auto whole = open();
  ASSERT_THAT(whole, IsOk());
  EXPECT_EQ(whole->total, content_.size());
  EXPECT_EQ(whole->length, content_.size());
  EXPECT_THAT(get(), IsOkAndHolds(content_));
  EXPECT_THAT(get(0, 10), IsOkAndHolds(part(0, 10)));
  EXPECT_THAT(get(299'990, 100), IsOkAndHolds(part(299'990, 10)));
  const auto middle = open(1000, 50'000);
  ASSERT_THAT(middle, IsOk());
  EXPECT_EQ(middle->offset, 1000U);
  EXPECT_EQ(middle->length, 50'000U);
  EXPECT_EQ(middle->total, content_.size());
  EXPECT_THAT(get(1000, 50'000), IsOkAndHolds(part(1000, 50'000)));
  EXPECT_THAT(get(299'999), IsOkAndHolds(part(299'999, 1)));
}

TEST_F(BlobsTest, AsksForBytesAsTheyAreStored) {
  EXPECT_THAT(get(), IsOk());
  EXPECT_EQ(fake_.server().log().back().header("Accept-Encoding"), "identity");
  EXPECT_FALSE(fake_.server().log().back().has_header("Range"));
}

TEST_F(BlobsTest, GetsAnEmptyBlob) {
  auto stream = client().get_blob("r", *empty_, 0, {}, context_);
  ASSERT_THAT(stream, IsOk());
  EXPECT_EQ(stream->total, 0U);
  EXPECT_THAT(read(std::move(stream)), IsOkAndHolds(std::string()));
  // A range of it is refused by servers, and is still no error.
  EXPECT_THAT(read(client().get_blob("r", *empty_, 0, 4096, context_)),
              IsOkAndHolds(std::string()));
}

TEST_F(BlobsTest, KnowsTheEnd) {
  const auto at_end = open(300'000);
  ASSERT_THAT(at_end, IsOk());
  EXPECT_EQ(at_end->length, 0U);
  EXPECT_THAT(open(300'001), HasCode(Errc::invalid_argument));
  EXPECT_THAT(open(0, 0), HasCode(Errc::invalid_argument));
}

TEST_F(BlobsTest, IgnoredRangesAreFineFromTheStartOnly) {
  change([](auto& behaviour) { behaviour.ranges = false; });
  const auto start = open(0, 1000);
  ASSERT_THAT(start, IsOk());
  EXPECT_EQ(start->length, 1000U);
  EXPECT_THAT(get(0, 1000), IsOkAndHolds(part(0, 1000)));
  EXPECT_THAT(open(1000, 1000), HasCode(Errc::unsupported));
}

TEST_F(BlobsTest, LearnsTheSizeOfAnAnswerWithoutOne) {
  fake_.fault({.method = "GET", .times = 0}, fault::framing(HttpReply::Framing::chunked));
  const auto stream = open();
  ASSERT_THAT(stream, IsOk());
  EXPECT_EQ(stream->total, content_.size());
  EXPECT_THAT(get(), IsOkAndHolds(content_));
}

TEST_F(BlobsTest, TakesABrokenBodyUpWhereItBroke) {
  for (const bool redirect : {false, true}) {
    change([&](auto& behaviour) { behaviour.redirect_blobs = redirect; });
    HttpServer& where = redirect ? fake_.storage() : fake_.server();
    where.clear_log();
    fake_.clear_faults();
    fake_.fault(where, {.method = "GET", .target = "*", .times = 2}, fault::cut(100'000));
    EXPECT_THAT(get(), IsOkAndHolds(content_));
    EXPECT_EQ(where.log().back().header("Range"), "bytes=200000-299999");
    EXPECT_EQ(where.wait_for_body_bytes(content_.size()), content_.size());
  }
}

TEST_F(BlobsTest, AShorterPartThanAskedForIsCompleted) {
  fake_.fault({}, [](HttpRequest request, const HttpServer::Handler& usual) {
    for (auto& [name, value] : request.headers) {
      if (name == "Range") value = "bytes=1000-1999";
    }
    return usual(request);
  });
  EXPECT_THAT(get(1000, 5000), IsOkAndHolds(part(1000, 5000)));
}

TEST_F(BlobsTest, RefusesOtherBytesThanAskedFor) {
  fake_.fault({}, fault::shift_content_range(1));
  EXPECT_THAT(open(1000, 1000), HasCode(Errc::corrupt));
  fake_.fault({}, fault::without_header("Content-Range"));
  EXPECT_THAT(open(1000, 1000), HasCode(Errc::corrupt));
}

TEST_F(BlobsTest, RefusesABodyThatGoesOn) {
  fake_.fault({.method = "GET"}, [](const HttpRequest& request, const HttpServer::Handler& usual) {
    HttpReply reply = fault::longer("more")(request, usual);
    reply.framing = HttpReply::Framing::chunked;
    return reply;
  });
  EXPECT_THAT(get(), HasCode(Errc::corrupt));
}

TEST_F(BlobsTest, RedirectsNeverSeeTheCredential) {
  change([](auto& behaviour) {
    behaviour.auth = RegistryBehaviour::Auth::basic;
    behaviour.redirect_blobs = true;
  });
  EXPECT_THAT(get(), IsOkAndHolds(content_));  // the storage answers 400 to Authorization
  ASSERT_EQ(fake_.storage().requests(), 1);
  EXPECT_FALSE(fake_.storage().log()[0].has_header("Authorization"));
}

TEST_F(BlobsTest, NamesWhatIsUnknown) {
  const auto blob = client().get_blob("r", digest(digest_text("x")), 0, {}, context_);
  ASSERT_THAT(blob, HasCode(Errc::not_found));
  EXPECT_EQ(blob.error().http()->registry_code, "BLOB_UNKNOWN");
  EXPECT_THAT(client().head_blob("r", digest(digest_text("x")), context_),
              HasCode(Errc::not_found));
}

}  // namespace
}  // namespace berth::test
