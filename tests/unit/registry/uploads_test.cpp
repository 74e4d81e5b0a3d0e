// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <fstream>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_dir.hpp"
#include "unit/registry/registry_fixture.hpp"

namespace berth::test {
namespace {

using registry::BlobSource;
using registry::Uploaded;
using registry::UploadOptions;
using registry::UploadWay;
using testing::HasSubstr;

class UploadsTest : public RegistryTest {
 protected:
  Result<Uploaded> push(const UploadOptions& options = {}) {
    const auto source = registry::blob_of_bytes(as_bytes(content_));
    return client().push_blob("r", *source, options, context_);
  }
  Result<Uploaded> push_stream(UploadOptions options = {},
                               std::size_t window = registry::kStreamWindow) {
    std::size_t at = 0;
    const auto source = registry::blob_of_stream(
        [&, at](std::span<std::byte> out, const Context&) mutable -> Result<std::size_t> {
          const std::size_t count =
              std::min({out.size(), content_.size() - at, std::size_t{70'000}});
          std::memcpy(out.data(), content_.data() + at, count);
          at += count;
          return count;
        },
        {}, window);
    return client().push_blob("r", *source, options, context_);
  }
  UploadOptions known(UploadWay way = UploadWay::automatic) {
    return {.way = way, .digest = digest(digest_), .look_first_above = content_.size()};
  }
  int count(const char* method, const char* glob = "*") {
    return fake_.server().count(method, glob);
  }
  void expect_stored(const Result<Uploaded>& done) {
    ASSERT_THAT(done, IsOk());
    EXPECT_EQ(done->digest.text(), digest_);
    EXPECT_EQ(done->size, content_.size());
    EXPECT_TRUE(fake_.has_blob("r", digest_));
    EXPECT_EQ(fake_.open_uploads(), 0);
  }

  std::string content_ = pattern_bytes(5'000'000);
  std::string digest_ = digest_text(content_);
};

TEST_F(UploadsTest, OfAKnownDigestIsOnePut) {
  const auto done = push(known());
  expect_stored(done);
  EXPECT_EQ(done->how, Uploaded::How::sent);
  EXPECT_EQ(count("POST"), 1);
  EXPECT_EQ(count("PUT"), 1);
  EXPECT_EQ(fake_.server().requests(), 2);
  EXPECT_EQ(fake_.server().log().back().header("Content-Length"), "5000000");
}

TEST_F(UploadsTest, OfAnUnknownDigestIsOneStream) {
  expect_stored(push());
  EXPECT_EQ(fake_.server().requests(), 3);  // POST, PATCH, PUT
  EXPECT_EQ(count("PATCH"), 1);
  const HttpRequest patch = fake_.server().log()[1];
  EXPECT_EQ(patch.header("Content-Range"), "0-4999999");
  EXPECT_EQ(patch.header("Content-Type"), "application/octet-stream");
}

TEST_F(UploadsTest, OfAnUnknownLengthIsOneStream) {
  expect_stored(push_stream());
  EXPECT_EQ(fake_.server().requests(), 3);
  const HttpRequest patch = fake_.server().log()[1];
  EXPECT_FALSE(patch.has_header("Content-Range"));
  EXPECT_EQ(patch.header("Transfer-Encoding"), "chunked");
}

TEST_F(UploadsTest, InChunksOfTheSizeThatTheCallerWants) {
  for (const bool stream : {false, true}) {
    fake_.server().clear_log();
    const UploadOptions options{.way = UploadWay::chunks, .chunk_size = 2'000'000};
    expect_stored(stream ? push_stream(options) : push(options));
    ASSERT_EQ(fake_.server().requests(), 5);  // POST, three PATCH, PUT
    const auto log = fake_.server().log();
    EXPECT_EQ(log[1].header("Content-Range"), "0-1999999");
    EXPECT_EQ(log[2].header("Content-Range"), "2000000-3999999");
    EXPECT_EQ(log[3].header("Content-Range"), "4000000-4999999");
    EXPECT_EQ(log[3].header("Content-Length"), "1000000");
    fake_.remove_blob("r", digest_);
  }
}

TEST_F(UploadsTest, InChunksOfTheSizeThatTheRegistryWants) {
  fake_.fault({.method = "POST"}, fault::header("OCI-Chunk-Min-Length", "3000000"));
  expect_stored(push({.way = UploadWay::chunks, .chunk_size = 1000}));
  EXPECT_EQ(count("PATCH"), 2);
  EXPECT_EQ(fake_.server().log()[1].header("Content-Range"), "0-2999999");
}

TEST_F(UploadsTest, OfNothingNeedsNoPatch) {
  content_.clear();
  digest_ = digest_text("");
  expect_stored(push());
  EXPECT_EQ(fake_.server().requests(), 2);
  fake_.remove_blob("r", digest_);
  expect_stored(push_stream());
}

TEST_F(UploadsTest, OfAFile) {
  const TempDir folder;
  const auto path = folder.path() / "layer";
  std::ofstream(path) << content_;
  const auto source = registry::blob_of_file(path);
  ASSERT_THAT(source, IsOk());
  expect_stored(client().push_blob("r", **source, {}, context_));
  EXPECT_THAT(registry::blob_of_file(folder.path() / "none"), HasCode(Errc::not_found));
  EXPECT_THAT(registry::blob_of_file(folder.path()), HasCode(Errc::invalid_argument));
}

TEST_F(UploadsTest, AFileThatShrinksMeanwhileIsAnErrorAndCancelled) {
  const TempDir folder;
  const auto path = folder.path() / "layer";
  std::ofstream(path) << content_;
  const auto source = registry::blob_of_file(path);
  ASSERT_THAT(source, IsOk());
  std::filesystem::resize_file(path, 1'000'000);
  const auto done = client().push_blob("r", **source, {}, context_);
  ASSERT_THAT(done, HasCode(Errc::io));
  EXPECT_THAT(done.error().message(), HasSubstr("layer"));
  EXPECT_EQ(fake_.open_uploads(), 0);
}

TEST_F(UploadsTest, TellsHowFarItIs) {
  std::vector<std::uint64_t> told;
  expect_stored(push({.progress = [&](std::uint64_t sent) { told.push_back(sent); }}));
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back(), content_.size());
  EXPECT_TRUE(std::ranges::is_sorted(told));
}

TEST_F(UploadsTest, LargeBlobsAreLookedForFirst) {
  fake_.add_blob("r", content_);
  UploadOptions options = known();
  options.look_first_above = 1 << 20;
  const auto done = push(options);
  expect_stored(done);
  EXPECT_EQ(done->how, Uploaded::How::was_there);
  EXPECT_EQ(fake_.server().requests(), 1);
  fake_.remove_blob("r", digest_);
  fake_.server().clear_log();
  expect_stored(push(options));
  EXPECT_EQ(count("HEAD"), 1);
}

TEST_F(UploadsTest, WhatIsThereIsNotSentAgainByWhoReadsTwice) {
  // S369
  fake_.add_blob("r", content_);
  const auto done = push({.hash_first = true});
  expect_stored(done);
  EXPECT_EQ(done->how, Uploaded::How::was_there);
  EXPECT_EQ(fake_.server().requests(), 1);
  fake_.remove_blob("r", digest_);
  expect_stored(push({.hash_first = true}));
  EXPECT_EQ(count("HEAD"), 2);
  // A small one costs as much as the question.
  fake_.server().clear_log();
  content_.resize(1000);
  digest_ = digest_text(content_);
  expect_stored(push({.hash_first = true}));
  EXPECT_EQ(count("HEAD"), 0);
}

TEST_F(UploadsTest, WhatCannotBeReadTwiceCannotBeHashedFirst) {
  // S369
  std::size_t left = content_.size();
  const auto stream = registry::blob_of_stream(
      [&](std::span<std::byte> out, const Context&) -> Result<std::size_t> {
        const std::size_t count = std::min(out.size(), left);
        left -= count;
        return count;
      },
      content_.size(), 1000);
  EXPECT_THAT(client().push_blob("r", *stream, {.hash_first = true}, context_),
              HasCode(Errc::unsupported));
  EXPECT_EQ(fake_.server().requests(), 0);
  expect_stored(push_stream({.hash_first = true}));  // nobody knows how large it is
}

TEST_F(UploadsTest, WhoMayNotLookMayStillPush) {
  fake_.fault({.method = "HEAD"}, fault::error(403, "DENIED"));
  UploadOptions options = known();
  options.look_first_above = 0;
  expect_stored(push(options));
}

TEST_F(UploadsTest, MountsFromAnotherRepository) {
  fake_.add_blob("other", content_);
  UploadOptions options = known();
  options.mount_from = "other";
  const auto done = push(options);
  expect_stored(done);
  EXPECT_EQ(done->how, Uploaded::How::mounted);
  EXPECT_EQ(fake_.server().requests(), 2);  // HEAD, POST
}

TEST_F(UploadsTest, AMountThatWasNotDoneIsGoneOnWith) {
  UploadOptions options = known();
  options.mount_from = "other";  // does not have it: 202, a session
  const auto done = push(options);
  expect_stored(done);
  EXPECT_EQ(done->how, Uploaded::How::sent);
  EXPECT_EQ(count("POST"), 1);
}

TEST_F(UploadsTest, AMountFromWhereTheUserMayNotReadIsGoneOnWith) {
  FakeRegistry azure({.auth = RegistryBehaviour::Auth::bearer,
                      .user_denials = {{"other", {"pull"}}},
                      .acr = true});
  azure.add_blob("other", content_);
  RegistryRig rig({azure.origin()}, {.credential = alice(), .clock = &clock_});
  UploadOptions options = known();
  options.mount_from = "other";
  const auto source = registry::blob_of_bytes(as_bytes(content_));
  const auto done = rig->push_blob("r", *source, options, context_);
  ASSERT_THAT(done, IsOk());
  EXPECT_EQ(done->how, Uploaded::How::sent);
  EXPECT_TRUE(azure.has_blob("r", digest_));
  EXPECT_EQ(azure.open_uploads(), 0);
  EXPECT_EQ(azure.server().count("POST", "*mount=*"), 1);
  EXPECT_EQ(azure.server().count("POST", "*/uploads/"), 0) << "the 202 opened the session";
}

TEST_F(UploadsTest, AMountThatIsRefusedIsAnUpload) {
  fake_.fault({.method = "POST", .target = "*mount=*"}, fault::error(403, "DENIED"));
  UploadOptions options = known();
  options.mount_from = "other";
  expect_stored(push(options));
  EXPECT_EQ(count("POST"), 2);
}

TEST_F(UploadsTest, AMountAloneLeavesNothingOpen) {
  EXPECT_THAT(client().mount_blob("r", digest(digest_), "other", context_), IsOkAndHolds(false));
  EXPECT_EQ(fake_.open_uploads(), 0);
  fake_.add_blob("other", content_);
  EXPECT_THAT(client().mount_blob("r", digest(digest_), "other", context_), IsOkAndHolds(true));
}

// --- Where Location leads.

TEST_F(UploadsTest, LocationsAreRelativeOrAbsoluteAndKeepTheirQuery) {
  fake_.change([](auto& behaviour) { behaviour.absolute_locations = true; });
  expect_stored(push());
  for (const HttpRequest& request : fake_.server().log()) {
    if (request.method == "POST") continue;
    EXPECT_EQ(request.query("state"), "x");
  }
  EXPECT_EQ(fake_.server().log().back().query("digest"), digest_);
}

TEST_F(UploadsTest, ALocationThatNamesTheHostByAnotherSchemeOrPortIsTheSameRegistry) {
  fake_.fault({.method = "POST"}, fault::rewrite_location("https://127.0.0.1"));
  expect_stored(push());
}

TEST_F(UploadsTest, AnotherHostGetsNoCredentials) {
  fake_.change([](auto& behaviour) { behaviour.auth = RegistryBehaviour::Auth::basic; });
  // The same server under another name: another origin.
  fake_.fault({.method = "POST", .times = 0},
              fault::rewrite_location("http://localhost:" + std::to_string(fake_.server().port())));
  fake_.fault({.method = "PATCH"}, fault::status(400));
  const auto done = push();
  ASSERT_FALSE(done.has_value());
  const auto log = fake_.server().log();
  const auto patch = std::ranges::find(log, "PATCH", &HttpRequest::method);
  ASSERT_NE(patch, log.end());
  EXPECT_FALSE(patch->has_header("Authorization"));
}

TEST_F(UploadsTest, ASessionWithoutALocationIsAnError) {
  fake_.fault({.method = "POST"}, fault::without_header("Location"));
  EXPECT_THAT(push(), HasCode(Errc::corrupt));
}

// --- What breaks on the way.

TEST_F(UploadsTest, ABrokenStreamIsTakenUpWhereTheRegistrySays) {
  for (const bool stream : {false, true}) {
    fake_.server().clear_log();
    fake_.body_fault({.method = "PATCH"}, {.cut_at = 3'000'000});
    expect_stored(stream ? push_stream() : push());
    EXPECT_EQ(count("POST"), 1);
    EXPECT_EQ(count("GET"), 1);
    ASSERT_EQ(count("PATCH"), 2);
    EXPECT_EQ(fake_.server().log()[3].body.size(), 2'000'000U);
    fake_.remove_blob("r", digest_);
  }
}

TEST_F(UploadsTest, ABrokenPutIsTakenUpToo) {
  fake_.body_fault({.method = "PUT"}, {.cut_at = 4'000'000});
  expect_stored(push(known()));
  EXPECT_EQ(count("PUT"), 2);
  EXPECT_EQ(fake_.server().log().back().body.size(), 1'000'000U);
}

TEST_F(UploadsTest, ABrokenChunkIsTakenUpWithinIt) {
  for (const bool stream : {false, true}) {
    fake_.server().clear_log();
    fake_.body_fault({.method = "PATCH", .from = 2}, {.cut_at = 500'000});
    const UploadOptions options{.way = UploadWay::chunks, .chunk_size = 2'000'000};
    expect_stored(stream ? push_stream(options) : push(options));
    EXPECT_EQ(fake_.server().log()[4].header("Content-Range"), "2500000-4499999");
    fake_.remove_blob("r", digest_);
    fake_.clear_faults();
  }
}

TEST_F(UploadsTest, ManyBreaksAreNoEndWhileItMovesOn) {
  content_ = pattern_bytes(12'000'000);
  digest_ = digest_text(content_);
  fake_.body_fault({.method = "PATCH", .times = 8}, {.cut_at = 1'300'000});
  expect_stored(push());
  EXPECT_EQ(count("PATCH"), 9);
  EXPECT_EQ(count("POST"), 1);
}

TEST_F(UploadsTest, BreaksWithoutProgressEndAndCancel) {
  fake_.body_fault({.method = "PATCH", .times = 0}, {.cut_at = 0});
  const auto done = push();
  ASSERT_THAT(done, HasCode(Errc::unavailable));
  // A connection that was used before is tried once more by curl, when no byte of an answer came.
  EXPECT_GE(count("PATCH"), 5);
  EXPECT_LE(count("PATCH"), 10);
  EXPECT_EQ(fake_.open_uploads(), 0);
}

TEST_F(UploadsTest, AServerErrorIsTakenUp) {
  fake_.fault({.method = "PATCH"}, fault::status(503));
  expect_stored(push());
  EXPECT_EQ(count("PATCH"), 2);
}

TEST_F(UploadsTest, ALostAnswerToThePatchCostsNoByte) {
  fake_.fault({.method = "PATCH"}, fault::drop());
  expect_stored(push());
  EXPECT_EQ(count("PATCH"), 1);  // the registry says that it has everything
  EXPECT_EQ(count("GET"), 1);
}

TEST_F(UploadsTest, ALostAnswerToThePutIsFoundOut) {
  fake_.fault({.method = "PUT"}, fault::drop());
  expect_stored(push());
  EXPECT_EQ(count("HEAD"), 1);
  EXPECT_EQ(count("POST"), 1);
}

TEST_F(UploadsTest, ASessionThatTheRegistryForgotIsBegunAgain) {
  fake_.body_fault({.method = "PATCH"}, {.cut_at = 3'000'000});
  fake_.fault({.method = "GET", .target = "*/uploads/*"}, fault::error(404, "BLOB_UPLOAD_UNKNOWN"));
  expect_stored(push());
  EXPECT_EQ(count("POST"), 2);
}

TEST_F(UploadsTest, AStreamThatCannotGoBackSaysSo) {
  fake_.body_fault({.method = "PATCH"}, {.cut_at = 4'500'000});
  fake_.fault({.method = "GET", .target = "*/uploads/*"}, fault::error(404, "BLOB_UPLOAD_UNKNOWN"));
  const auto done = push_stream({}, 512 * 1024);
  ASSERT_THAT(done, HasCode(Errc::unsupported));
  EXPECT_THAT(done.error().message(), HasSubstr("must be sent again"));
  EXPECT_EQ(fake_.open_uploads(), 0);
}

TEST_F(UploadsTest, AnOffsetThatDiffersIsAskedFor) {
  fake_.fault({.method = "PATCH"}, fault::error(416, "BLOB_UPLOAD_INVALID"));
  expect_stored(push());
  EXPECT_EQ(count("GET"), 1);
}

TEST_F(UploadsTest, ARegistryThatKeepsLessIsGivenTheRest) {
  fake_.change([](auto& behaviour) { behaviour.keeps_of_a_patch = 2'000'000; });
  expect_stored(push());
  EXPECT_EQ(count("PATCH"), 3);
}

TEST_F(UploadsTest, OfAcrItsLocationsChangeWithEveryRequest) {
  fake_.change([](auto& behaviour) { behaviour.acr = true; });
  expect_stored(push({.way = UploadWay::chunks, .chunk_size = 2'000'000}));
  fake_.remove_blob("r", digest_);
  // A cut moves its offset on, so that the Location is stale and nothing is known: begun again.
  fake_.body_fault({.method = "PATCH"}, {.cut_at = 3'000'000});
  EXPECT_THAT(push(), IsOk());
  EXPECT_TRUE(fake_.has_blob("r", digest_));
  EXPECT_EQ(fake_.open_uploads(), 1);  // its newest Location is not to be had by anybody
}

TEST_F(UploadsTest, ATokenThatExpiresOnTheWayIsRenewed) {
  fake_.change([](auto& behaviour) { behaviour.auth = RegistryBehaviour::Auth::bearer; });
  fake_.fault({.method = "PATCH", .from = 2},
              fault::challenge("Bearer realm=\"" + fake_.tokens().origin() +
                               "/token\",service=\"fake\",scope=\"repository:r:pull,push\","
                               "error=\"invalid_token\""));
  expect_stored(push({.way = UploadWay::chunks, .chunk_size = 2'000'000}));
  EXPECT_EQ(count("PATCH"), 4);
}

// --- What is refused.

TEST_F(UploadsTest, RefusalsAreToldAndCancelled) {
  for (const int status : {400, 403, 413}) {
    fake_.fault({.method = "PATCH"}, fault::error(status, "DENIED", "no"));
    const auto done = push();
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().http()->status, status);
    EXPECT_EQ(fake_.open_uploads(), 0);
    fake_.clear_faults();
  }
}

TEST_F(UploadsTest, DataThatIsNotWhatWasPromisedIsAMismatch) {
  for (const auto way : {UploadWay::automatic, UploadWay::stream, UploadWay::chunks}) {
    UploadOptions options = known(way);
    options.digest = digest(digest_text("something else"));
    const auto done = push(options);
    ASSERT_THAT(done, HasCode(Errc::digest_mismatch));
    EXPECT_THAT(done.error().message(), HasSubstr(digest_));
    EXPECT_FALSE(fake_.has_blob("r", options.digest->text()));
    EXPECT_EQ(fake_.open_uploads(), 0);
  }
}

TEST_F(UploadsTest, ARegistryThatStoredSomethingElseIsAMismatch) {
  fake_.fault({.method = "PUT"},
              fault::header("Docker-Content-Digest", digest_text("something else")));
  EXPECT_THAT(push(), HasCode(Errc::digest_mismatch));
}

TEST_F(UploadsTest, BytesThatWereChangedOnTheWayAreSentAgain) {
  fake_.fault({.method = "PUT"}, fault::error(400, "DIGEST_INVALID"));
  expect_stored(push());
  EXPECT_EQ(count("POST"), 2);
}

TEST_F(UploadsTest, BytesThatAreChangedEachTimeAreSaidToBe) {
  fake_.fault({.method = "PUT", .times = 0},
              fault::status(400, R"({"errors":[{"code":"DIGEST_INVALID"}]})",
                            {{"X-Ms-Correlation-Request-Id", "abc-1"}}));
  const auto refused = push();
  ASSERT_THAT(refused, HasCode(Errc::digest_mismatch));
  EXPECT_THAT(refused.error().message(),
              testing::EndsWith(": the registry received other bytes than were sent"));
  ASSERT_NE(refused.error().http(), nullptr);
  EXPECT_EQ(refused.error().http()->correlation_id, "abc-1");
}

TEST_F(UploadsTest, ThatOneWasCancelledIsNoReasonToAskForMoreLater) {
  // As of Azure, which wants the right to delete for it.
  FakeRegistry azure({.auth = RegistryBehaviour::Auth::bearer, .acr = true});
  RegistryRig rig({azure.origin()}, {.credential = alice(), .clock = &clock_});
  const auto push_one = [&](const std::string& bytes) {
    const auto source = registry::blob_of_bytes(as_bytes(bytes));
    return rig->push_blob("r", *source, {}, context_);
  };
  azure.fault({.method = "PUT"}, fault::error(400, "NAME_INVALID"));
  EXPECT_THAT(push_one("first"), HasCode(Errc::invalid_argument));
  EXPECT_EQ(azure.open_uploads(), 0);
  clock_.advance(std::chrono::minutes(10));  // until the tokens have ended
  azure.server().clear_log();
  EXPECT_THAT(push_one("second"), IsOk());
  std::vector<std::string> scopes;
  for (const HttpRequest& request : azure.server().log()) {
    if (request.path() == "/oauth2/token") scopes.push_back(request.query("scope"));
  }
  EXPECT_THAT(scopes, testing::ElementsAre("repository:r:pull,push"));
}

TEST_F(UploadsTest, AStopCancelsTheSession) {
  const auto gate = std::make_shared<Gate>();
  fake_.body_fault({.method = "PATCH"}, {.gate = gate, .gate_at = 1'000'000});
  std::stop_source stop;
  context_ = context_.with_stop(stop.get_token());
  std::jthread stopper([&] {
    EXPECT_TRUE(gate->wait_for_arrivals());
    stop.request_stop();
  });
  EXPECT_THAT(push(), HasCode(Errc::cancelled));
  gate->open();
  EXPECT_EQ(count("DELETE", "*/uploads/*"), 1);
}

TEST_F(UploadsTest, WhatCannotBeIsRefusedBeforeAnythingIsAsked) {
  EXPECT_THAT(push({.way = UploadWay::single_put}), HasCode(Errc::invalid_argument));
  EXPECT_THAT(push({.way = UploadWay::chunks, .chunk_size = 0}), HasCode(Errc::invalid_argument));
  EXPECT_THAT(push({.mount_from = "NO"}), HasCode(Errc::invalid_argument));
  const auto source = registry::blob_of_bytes({});
  EXPECT_THAT(client().push_blob("NO", *source, {}, context_), HasCode(Errc::invalid_argument));
  EXPECT_EQ(fake_.server().requests(), 0);
}

}  // namespace
}  // namespace berth::test
