// SPDX-License-Identifier: Apache-2.0
#include <stop_token>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/registry/registry_fixture.hpp"

namespace berth::test {
namespace {

/// A mirror before the registry. The mirror may not resolve tags unless a test says so.
class EndpointsTest : public RegistryTest {
 protected:
  void SetUp() override {
    image_ = fake_.add_image("r", "v1", {"layer"});
    layer_ = image_.layer_digests[0];
    rebuild(false);
  }
  void rebuild(bool can_resolve) {
    auto endpoints = both_.endpoints();
    endpoints[0].can_resolve = can_resolve;
    client_.emplace(fake_.host(), endpoints);
  }
  void fill_mirror() { mirror_.add_image("r", "v1", {"layer"}); }
  Result<std::string> get_layer() {
    return read(client_->get_blob("r", digest(layer_), 0, {}, context_));
  }

  FakeRegistry mirror_;
  RegistryRig both_{{mirror_.origin(), fake_.origin()}, {.credential = {}, .clock = &clock_}};
  std::optional<registry::Client> client_;
  FakeImage image_;
  std::string layer_;
};

TEST_F(EndpointsTest, ContentComesFromTheMirror) {
  fill_mirror();
  EXPECT_THAT(client_->get_manifest("r", image_.digest, context_), IsOk());
  EXPECT_THAT(client_->head_manifest("r", image_.digest, context_), IsOk());
  EXPECT_THAT(get_layer(), IsOkAndHolds(std::string("layer")));
  EXPECT_EQ(fake_.server().requests(), 0);
  EXPECT_EQ(mirror_.server().log()[0].query("ns"), fake_.host());
}

TEST_F(EndpointsTest, TagsAreResolvedByWhoMay) {
  fill_mirror();
  EXPECT_THAT(client_->get_manifest("r", "v1", context_), IsOk());
  EXPECT_EQ(mirror_.server().requests(), 0);
  EXPECT_FALSE(fake_.server().log()[0].target.ends_with("ns="));
  rebuild(true);
  EXPECT_THAT(client_->get_manifest("r", "v1", context_), IsOk());
  EXPECT_EQ(mirror_.server().requests(), 1);
}

TEST_F(EndpointsTest, ListsComeFromTheRegistryItself) {
  mirror_.add_image("r", "only-here", {});
  rebuild(true);
  const auto page = client_->list_tags("r", "", context_);
  ASSERT_THAT(page, IsOk());
  EXPECT_THAT(page->names, ::testing::ElementsAre("v1"));
  EXPECT_THAT(client_->referrers("r", digest(image_.digest), context_), IsOk());
  EXPECT_EQ(mirror_.server().requests(), 0);
}

TEST_F(EndpointsTest, AMirrorThatLacksItIsPassed) {
  EXPECT_THAT(get_layer(), IsOk());
  EXPECT_EQ(mirror_.server().requests(), 1);
  EXPECT_EQ(fake_.server().requests(), 1);
}

TEST_F(EndpointsTest, AMirrorThatLiesIsPassed) {
  fill_mirror();
  mirror_.fault({.times = 0}, fault::flip_byte(3));
  const auto manifest = client_->get_manifest("r", image_.digest, context_);
  ASSERT_THAT(manifest, IsOk());
  EXPECT_EQ(manifest->raw, image_.manifest);
}

TEST_F(EndpointsTest, AMirrorThatIsDownRestsForAWhile) {
  fill_mirror();
  mirror_.server().stop();
  EXPECT_THAT(get_layer(), IsOk());
  mirror_.server().start();
  EXPECT_THAT(get_layer(), IsOk());
  EXPECT_EQ(mirror_.server().requests(), 0);
  clock_.advance(std::chrono::seconds(31));
  EXPECT_THAT(get_layer(), IsOk());
  EXPECT_EQ(mirror_.server().requests(), 1);
  EXPECT_EQ(fake_.server().requests(), 2);
}

TEST_F(EndpointsTest, WhatNobodyHasIsSaidByTheRegistry) {
  const auto blob = client_->head_blob("r", digest(digest_text("x")), context_);
  ASSERT_THAT(blob, HasCode(Errc::not_found));
  EXPECT_THAT(blob.error().http()->url, ::testing::StartsWith(fake_.origin()));
}

TEST_F(EndpointsTest, AnEndedContextEndsTheSearch) {
  std::stop_source stop;
  mirror_.fault({.times = 0}, [&](const HttpRequest& request, const HttpServer::Handler& usual) {
    stop.request_stop();
    HttpReply reply = usual(request);
    reply.latency = std::chrono::seconds(10);  // cancellation cuts it short
    return reply;
  });
  EXPECT_THAT(client_->head_blob("r", digest(layer_), context_.with_stop(stop.get_token())),
              HasCode(Errc::cancelled));
  EXPECT_EQ(fake_.server().requests(), 0);
}

}  // namespace
}  // namespace berth::test
