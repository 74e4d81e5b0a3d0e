// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <string>

#include "berth/oci/media_type.hpp"

#include "support/temp_dir.hpp"
#include "support/test_client.hpp"
#include "unit/acr/acr_fixture.hpp"

namespace berth::test {
namespace {

using acr::ContainerRegistryContentClient;
using testing::Contains;
using testing::HasSubstr;
using testing::Pair;
using testing::SizeIs;

class ContentClientTest : public AcrTest {
 protected:
  ContainerRegistryContentClient content(acr::ContainerRegistryClientOptions with) {
    return ContainerRegistryContentClient::create(fake_.origin(), kName, std::move(with)).value();
  }
  ContainerRegistryContentClient content() { return content(options()); }
  Result<std::string> read(const Result<acr::DownloadBlobResult>& result) {
    if (!result) return result.error();
    return http::read_all(*result->content, 1 << 26, context_);
  }
  Result<std::string> download(const Digest& digest, const acr::DownloadBlobOptions& how = {}) {
    return read(content().download_blob(digest, context_, how));
  }
};

TEST_F(ContentClientTest, IsMadeWithoutAsking) {
  const auto made = content();
  EXPECT_EQ(made.endpoint(), fake_.origin());
  EXPECT_EQ(made.repository_name(), kName);
  EXPECT_THAT(ContainerRegistryContentClient::create("ftp://x", kName), HasCode(Errc::untrusted));
  EXPECT_THAT(ContainerRegistryContentClient::create(fake_.origin(), "NO"),
              HasCode(Errc::invalid_argument));
  const auto shared = client().content(kName);
  ASSERT_THAT(shared, IsOk());
  EXPECT_THAT(client().content(""), HasCode(Errc::invalid_argument));
  EXPECT_EQ(fake_.server().requests(), 0);
}

TEST_F(ContentClientTest, UploadsBytesFilesAndStreams) {
  const std::string bytes = pattern_bytes(3'000'000);
  const auto uploaded = content().upload_blob(as_bytes(bytes), context_);
  ASSERT_THAT(uploaded, IsOk());
  EXPECT_EQ(uploaded->digest.text(), digest_text(bytes));
  EXPECT_EQ(uploaded->size_in_bytes, bytes.size());
  EXPECT_TRUE(fake_.has_blob(kName, digest_text(bytes)));
  EXPECT_THAT(requests(), SizeIs(3));  // POST, PATCH, PUT

  const TempDir folder;
  std::ofstream(folder.path() / "file") << "a file";
  ASSERT_THAT(content().upload_blob_from(folder.path() / "file", context_), IsOk());
  EXPECT_TRUE(fake_.has_blob(kName, digest_text("a file")));
  EXPECT_THAT(content().upload_blob_from(folder.path() / "none", context_),
              HasCode(Errc::not_found));

  bool given = false;
  const auto stream = registry::blob_of_stream(
      [&](std::span<std::byte> out, const Context&) -> Result<std::size_t> {
        if (std::exchange(given, true)) return std::size_t{0};
        out[0] = std::byte{'x'};
        return std::size_t{1};
      });
  ASSERT_THAT(content().upload_blob(*stream, context_), IsOk());
  EXPECT_TRUE(fake_.has_blob(kName, digest_text("x")));
}

TEST_F(ContentClientTest, UploadsInChunksAndMounts) {
  const std::string bytes = pattern_bytes(3'000'000);
  acr::UploadBlobOptions how;
  how.upload.way = registry::UploadWay::chunks;
  how.upload.chunk_size = 1'000'000;
  ASSERT_THAT(content().upload_blob(as_bytes(bytes), context_, how), IsOk());
  EXPECT_EQ(fake_.server().count("PATCH", "*"), 3);
  fake_.add_blob("other", "elsewhere");
  how.upload = {.digest = digest(digest_text("elsewhere")), .mount_from = "other"};
  const auto mounted = content().upload_blob(as_bytes("elsewhere"), context_, how);
  ASSERT_THAT(mounted, IsOk());
  EXPECT_EQ(mounted->how, registry::Uploaded::How::mounted);
}

TEST_F(ContentClientTest, AnUploadThatTheRegistryStoredOtherwiseIsAMismatch) {
  fake_.fault({.method = "PUT"}, fault::header("Docker-Content-Digest", digest_text("other")));
  EXPECT_THAT(content().upload_blob(as_bytes("bytes"), context_), HasCode(Errc::digest_mismatch));
}

TEST_F(ContentClientTest, DownloadsStreamsRangesAndFiles) {
  const std::string bytes = pattern_bytes(2'000'000);
  const Digest blob = digest(fake_.add_blob(kName, bytes));
  const auto result = content().download_blob(blob, context_);
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->digest, blob);
  EXPECT_EQ(result->size_in_bytes, bytes.size());
  EXPECT_THAT(read(result), IsOkAndHolds(bytes));
  acr::DownloadBlobOptions range;
  range.offset = 1'000'000;
  range.length = 10;
  EXPECT_THAT(download(blob, range), IsOkAndHolds(bytes.substr(1'000'000, 10)));

  const TempDir folder;
  std::uint64_t told = 0;
  acr::DownloadBlobOptions how;
  how.progress = [&](std::uint64_t got, std::uint64_t) { told = got; };
  EXPECT_THAT(content().download_blob_to(blob, folder.path() / "blob", context_, how),
              IsOkAndHolds(bytes.size()));
  EXPECT_EQ(told, bytes.size());
  std::ifstream file(folder.path() / "blob");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), bytes);
}

TEST_F(ContentClientTest, OfAnEmptyBlob) {
  const auto uploaded = content().upload_blob({}, context_);
  ASSERT_THAT(uploaded, IsOk());
  EXPECT_EQ(uploaded->size_in_bytes, 0U);
  EXPECT_THAT(download(uploaded->digest), IsOkAndHolds(""));
}

TEST_F(ContentClientTest, WrongBytesAreAnErrorValueAndNoFile) {
  const Digest blob = digest(fake_.add_blob(kName, std::string(1'000'000, 'x')));
  fake_.fault({.method = "GET", .target = "*/blobs/*", .times = 0}, fault::flip_byte(999'999));
  const auto result = content().download_blob(blob, context_);
  ASSERT_THAT(result, IsOk());
  std::size_t got = 0;
  for (;;) {
    const auto part = result->content->next(context_);
    if (!part) {
      EXPECT_THAT(part, HasCode(Errc::digest_mismatch));
      EXPECT_THAT(result->content->next(context_), HasCode(Errc::digest_mismatch));
      break;
    }
    ASSERT_FALSE(part->empty()) << "the end was given for wrong bytes";
    got += part->size();
  }
  EXPECT_LT(got, 1'000'000U);  // never the last one
  const TempDir folder;
  EXPECT_THAT(content().download_blob_to(blob, folder.path() / "blob", context_),
              HasCode(Errc::digest_mismatch));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST_F(ContentClientTest, ABrokenDownloadIsTakenUp) {
  const std::string bytes = pattern_bytes(2'000'000);
  const Digest blob = digest(fake_.add_blob(kName, bytes));
  fake_.fault({.method = "GET", .target = "*/blobs/*"}, fault::cut(1'200'000));
  EXPECT_THAT(download(blob), IsOkAndHolds(bytes));
}

TEST_F(ContentClientTest, ALinkToTheStorageThatLapsedIsAskedForAnew) {
  std::atomic<std::int64_t> now = 1'700'000'000;
  change([&](auto& behaviour) {
    behaviour.redirect_blobs = true;
    behaviour.storage_seconds = 20 * 60;
    behaviour.unix_time = [&] { return now.load(); };
  });
  const std::string bytes = pattern_bytes(2'000'000);
  const Digest blob = digest(fake_.add_blob(kName, bytes));
  fake_.fault(fake_.storage(), {.method = "GET"}, fault::cut(1'200'000));
  const auto result = content().download_blob(blob, context_);
  ASSERT_THAT(result, IsOk());
  ASSERT_THAT(result->content->next(context_), IsOk());
  now += 21 * 60;  // in the middle of it
  const auto served = fake_.storage().log();
  ASSERT_EQ(served.size(), 1U);
  const TestClient storage(fake_.storage().origin());
  EXPECT_EQ(storage.get(served[0].target).status, 403);
  fake_.storage().clear_log();
  const auto rest = http::read_all(*result->content, 1 << 26, context_);
  ASSERT_THAT(rest, IsOk());
  EXPECT_TRUE(bytes.ends_with(*rest));
  EXPECT_EQ(fake_.server().count("GET", "*/blobs/*"), 2);
  const auto again = fake_.storage().log();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_NE(again[0].target, served[0].target);
  EXPECT_EQ(again[0].header("Range"), "bytes=1200000-1999999");
  EXPECT_FALSE(again[0].has_header("Authorization"));
}

TEST_F(ContentClientTest, SetsAndGetsManifestsAsBytes) {
  const std::string text = one_.manifest + "\n";
  acr::SetManifestOptions how;
  how.tag = "bytes";
  const auto set = content().set_manifest(text, context_, how);
  ASSERT_THAT(set, IsOk());
  EXPECT_EQ(set->digest.text(), digest_text(text));
  for (const std::string& reference : {std::string("bytes"), set->digest.text()}) {
    const auto got = content().get_manifest(reference, context_);
    ASSERT_THAT(got, IsOk());
    EXPECT_EQ(got->content, text);
    EXPECT_EQ(got->digest, set->digest);
    EXPECT_EQ(got->media_type, oci::media::kImageManifest);
    ASSERT_NE(got->manifest(), nullptr);
    EXPECT_THAT(got->manifest()->layers, SizeIs(1));
  }
}

TEST_F(ContentClientTest, SetsAndGetsTypedManifestsWithSubjectAndArtifactType) {
  const auto config = content().upload_blob(as_bytes("{}"), context_);
  const auto layer = content().upload_blob(as_bytes("data"), context_);
  ASSERT_THAT(config, IsOk());
  ASSERT_THAT(layer, IsOk());
  const oci::Descriptor empty{
      .media_type = std::string(oci::media::kEmpty), .digest = config->digest, .size = 2};
  oci::Manifest manifest{
      .config = empty,
      .layers = {{.media_type = "text/plain",
                  .digest = layer->digest,
                  .size = 4,
                  .annotations = {{std::string(oci::annotation::kTitle), "a"}}}},
      .subject = oci::Descriptor{.media_type = std::string(oci::media::kImageManifest),
                                 .digest = digest(one_.digest),
                                 .size = one_.manifest.size()},
      .artifact_type = "application/vnd.example",
      .annotations = {{"k", "v"}}};
  const auto set = content().set_manifest(manifest, context_);
  ASSERT_THAT(set, IsOk());
  const auto got = content().get_manifest(set->digest.text(), context_);
  ASSERT_THAT(got, IsOk());
  ASSERT_NE(got->manifest(), nullptr);
  EXPECT_EQ(got->manifest()->artifact_type, "application/vnd.example");
  EXPECT_EQ(got->manifest()->subject->digest.text(), one_.digest);
  EXPECT_THAT(got->manifest()->annotations, Contains(Pair("k", "v")));
  const auto referrers = content().list_referrers(digest(one_.digest), context_);
  ASSERT_THAT(referrers, IsOk());
  ASSERT_THAT(*referrers, SizeIs(1));
  EXPECT_EQ(referrers->front().digest, set->digest);

  oci::Index index;
  index.manifests.push_back({.media_type = std::string(oci::media::kImageManifest),
                             .digest = set->digest,
                             .size = got->content.size(),
                             .platform = oci::Platform::parse("linux/arm64").value()});
  acr::SetManifestOptions how;
  how.tag = "index";
  ASSERT_THAT(content().set_manifest(index, context_, how), IsOk());
  const auto listed = content().get_manifest("index", context_);
  ASSERT_THAT(listed, IsOk());
  ASSERT_NE(listed->index(), nullptr);
  EXPECT_EQ(listed->index()->manifests.front().platform, index.manifests.front().platform);
  EXPECT_EQ(listed->media_type, oci::media::kImageIndex);
}

TEST_F(ContentClientTest, DockerTypesAreKept) {
  acr::SetManifestOptions how;
  how.tag = "docker";
  how.media_type = oci::media::kDockerManifest;
  const auto parsed = content().get_manifest("v1", context_);
  ASSERT_THAT(parsed, IsOk());
  ASSERT_THAT(content().set_manifest(*parsed->manifest(), context_, how), IsOk());
  const auto got = content().get_manifest("docker", context_);
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ(got->media_type, oci::media::kDockerManifest);
}

TEST_F(ContentClientTest, EarlyArtifactsAreReadTaggedAndDeletedAsBytes) {
  for (const auto type : {oci::media::kOciArtifact, oci::media::kOrasArtifact}) {
    const std::string text =
        R"({"mediaType":")" + std::string(type) + R"(","artifactType":"x/y","blobs":[]})";
    const std::string held = fake_.add_manifest(kName, text, std::string(type));
    const auto got = content().get_manifest(held, context_);
    ASSERT_THAT(got, IsOk()) << type;
    EXPECT_EQ(got->content, text);
    EXPECT_EQ(got->media_type, type);
    EXPECT_EQ(got->manifest(), nullptr);
    EXPECT_THAT(artifact(held).tag("early", context_), IsOk());
    EXPECT_EQ(content().get_manifest("early", context_)->digest.text(), held);
    EXPECT_THAT(content().delete_manifest(digest(held), context_), IsOk());
    EXPECT_THAT(content().get_manifest(held, context_), HasCode(Errc::not_found));
  }
}

TEST_F(ContentClientTest, AManifestOfOtherBytesIsAMismatch) {
  fake_.fault({.method = "GET", .times = 0}, fault::flip_byte(1));
  EXPECT_THAT(content().get_manifest(one_.digest, context_), HasCode(Errc::digest_mismatch));
  EXPECT_THAT(content().get_manifest("v1", context_), HasCode(Errc::digest_mismatch));
}

TEST_F(ContentClientTest, ARegistryThatIsNotAzuresSaysWhatItsRefusalOfADeletionMeans) {
  fake_.fault({.method = "DELETE", .times = 0}, fault::error(405, "UNSUPPORTED"));
  const auto refused = content().delete_blob(digest(one_.layer_digests[0]), context_);
  ASSERT_THAT(refused, HasCode(Errc::unsupported));
  EXPECT_THAT(refused.error().message(),
              HasSubstr("the registry does not delete; whoever runs it can allow it"));
  fake_.clear_faults();
  fake_.fault({.method = "DELETE", .times = 0}, fault::status(404));
  acr::DeleteOptions ignoring;
  ignoring.ignore_not_found = true;
  EXPECT_THAT(content().delete_blob(digest(one_.layer_digests[0]), context_, ignoring), IsOk());
}

TEST_F(ContentClientTest, DeletesAndTellsWhatWasNotThere) {
  const Digest blob = digest(one_.layer_digests[0]);
  EXPECT_THAT(content().blob_exists(blob, context_), IsOkAndHolds(true));
  ASSERT_THAT(content().delete_blob(blob, context_), IsOk());
  EXPECT_THAT(content().blob_exists(blob, context_), IsOkAndHolds(false));
  EXPECT_THAT(content().delete_blob(blob, context_), HasCode(Errc::not_found));
  acr::DeleteOptions ignoring;
  ignoring.ignore_not_found = true;
  EXPECT_THAT(content().delete_blob(blob, context_, ignoring), IsOk());

  ASSERT_THAT(content().delete_manifest(digest(index_), context_), IsOk());
  EXPECT_FALSE(fake_.has_manifest(kName, index_));
  EXPECT_THAT(content().delete_manifest(digest(index_), context_), HasCode(Errc::not_found));
  EXPECT_THAT(content().delete_manifest(digest(index_), context_, ignoring), IsOk());
}

TEST_F(ContentClientTest, AReferrerLeavesTheTagOfItsSubject) {
  FakeRegistry plain({.referrers_api = false});
  const std::string subject = plain.add_image("a", "v1", {}).digest;
  const auto content =
      ContainerRegistryContentClient::create(plain.origin(), "a", options()).value();
  const auto config = content.upload_blob(as_bytes("{}"), context_);
  ASSERT_THAT(config, IsOk());
  const oci::Manifest manifest{
      .config = {.media_type = std::string(oci::media::kEmpty),
                 .digest = config->digest,
                 .size = 2},
      .layers = {},
      .subject = oci::Descriptor{.media_type = std::string(oci::media::kImageManifest),
                                 .digest = digest(subject),
                                 .size = 1}};
  const auto by_artifact = [&](const Digest& referrer) {
    return acr::ContainerRegistryClient::create(plain.origin(), options())
        ->artifact("a", referrer.text())
        ->remove(context_);
  };
  const auto by_content = [&](const Digest& referrer) {
    return content.delete_manifest(referrer, context_);
  };
  for (const auto& remove :
       std::vector<std::function<Result<void>(const Digest&)>>{by_artifact, by_content}) {
    const auto referrer = content.set_manifest(manifest, context_);
    ASSERT_THAT(referrer, IsOk());
    ASSERT_THAT(content.list_referrers(digest(subject), context_), IsOkAndHolds(SizeIs(1)));
    ASSERT_THAT(remove(referrer->digest), IsOk());
    EXPECT_THAT(content.list_referrers(digest(subject), context_), IsOkAndHolds(SizeIs(0)));
    EXPECT_THAT(content.delete_manifest(referrer->digest, context_), HasCode(Errc::not_found));
    EXPECT_THAT(content.delete_manifest(referrer->digest, context_, {{}, true}), IsOk());
  }
}

TEST_F(ContentClientTest, ToDeleteFromAzureIsOneRequest) {
  ASSERT_THAT(content().delete_manifest(digest(index_), context_), IsOk());
  requests();
  const auto known = content();
  ASSERT_THAT(known.get_manifest("v1", context_), IsOk());  // by whose answer it is known
  ASSERT_THAT(known.delete_manifest(digest(one_.digest), context_), IsOk());
  EXPECT_THAT(requests(), SizeIs(2));
}

TEST_F(ContentClientTest, WhatIsLockedSaysSo) {
  fake_.lock(kName, index_);
  const auto refused = content().delete_manifest(digest(index_), context_);
  ASSERT_THAT(refused, HasCode(Errc::denied));
  EXPECT_THAT(refused.error().message(), HasSubstr("locked"));
}

TEST_F(ContentClientTest, OptionsOfACallReachItsRequests) {
  std::vector<int> seen;
  acr::OperationOptions how;
  how.custom_headers.add("X-Mine", "1");
  how.client_request_id = "my-id";
  how.on_response = [&](const acr::RawResponse& response) { seen.push_back(response.status); };
  ASSERT_THAT(content().get_manifest("v1", context_, how), IsOk());
  const HttpRequest request = fake_.server().log().back();
  EXPECT_EQ(request.header("X-Mine"), "1");
  EXPECT_EQ(request.header("x-ms-client-request-id"), "my-id");
  EXPECT_THAT(seen, testing::ElementsAre(200));
  ASSERT_THAT(content().get_manifest("v1", context_), IsOk());
  EXPECT_FALSE(fake_.server().log().back().has_header("X-Mine"));
}

// S423
TEST_F(ContentClientTest, EveryAnswerOfACallIsShownWithoutItsBody) {
  change([](auto& behaviour) {
    behaviour.redirect_blobs = true;
    behaviour.auth = RegistryBehaviour::Auth::bearer;
  });
  auto with = options();
  with.credential = alice();
  std::vector<std::pair<int, std::string>> seen;
  acr::DownloadBlobOptions how;
  how.on_response = [&](const acr::RawResponse& response) {
    seen.emplace_back(response.status, response.body);
  };
  ASSERT_THAT(read(content(with).download_blob(digest(one_.layer_digests[0]), context_, how)),
              IsOkAndHolds("one"));
  // The challenge, the token, the redirect, the storage.
  using testing::Pair;
  EXPECT_THAT(seen,
              testing::ElementsAre(Pair(401, ""), Pair(200, ""), Pair(307, ""), Pair(200, "")));
}

// S424
TEST_F(ContentClientTest, AStreamThatWasMountedHasTheSizeThatTheRegistrySays) {
  const std::string bytes = pattern_bytes(5'000);
  const Digest blob = digest(fake_.add_blob("library/other", bytes));
  const auto stream = registry::blob_of_stream(
      [](std::span<std::byte>, const Context&) -> Result<std::size_t> { return std::size_t{0}; });
  acr::UploadBlobOptions how;
  how.upload.digest = blob;
  how.upload.mount_from = "library/other";
  const auto done = content().upload_blob(*stream, context_, how);
  ASSERT_THAT(done, IsOk());
  EXPECT_EQ(done->how, registry::Uploaded::How::mounted);
  EXPECT_EQ(done->size_in_bytes, bytes.size());
}

TEST_F(ContentClientTest, HeadersOfACallAreForTheRegistryAlone) {
  change([this](auto& behaviour) {
    behaviour.redirect_blobs = true;
    behaviour.auth = RegistryBehaviour::Auth::bearer;
    behaviour.realm = fake_.tokens().origin() + "/token";
  });
  auto with = options();
  with.credential = alice();
  acr::DownloadBlobOptions how;
  for (const char* name : {"X-Mine", "Cookie"}) how.custom_headers.add(name, "1");
  const Digest blob = digest(one_.layer_digests[0]);
  ASSERT_THAT(read(content(with).download_blob(blob, context_, how)), IsOkAndHolds("one"));
  for (HttpServer* other : {&fake_.tokens(), &fake_.storage()}) {
    ASSERT_FALSE(other->log().empty());
    for (const HttpRequest& request : other->log()) {
      EXPECT_FALSE(request.has_header("X-Mine")) << request.target;
      EXPECT_FALSE(request.has_header("Cookie")) << request.target;
    }
  }
  EXPECT_EQ(fake_.server().log().back().header("Cookie"), "1");
  // Nor for the registry's own token server.
  change([](auto& behaviour) { behaviour.realm = ""; });
  ASSERT_THAT(client(with).repository(kName)->get_properties(context_, how), IsOk());
  for (const HttpRequest& request : fake_.server().log()) {
    EXPECT_EQ(request.has_header("X-Mine"), request.path() != "/oauth2/token") << request.target;
  }
}

TEST_F(ContentClientTest, ACallWithinACallLeavesItsOptionsAlone) {
  const auto one = content();
  const std::string bytes = pattern_bytes(300'000);
  const auto download = one.download_blob(digest(fake_.add_blob(kName, bytes)), context_);
  ASSERT_THAT(download, IsOk());
  ByteView rest;
  const auto source = registry::blob_of_stream(
      [&](std::span<std::byte> out, const Context& context) -> Result<std::size_t> {
        if (rest.empty()) {
          auto next = download->content->next(context);
          if (!next) return std::move(next).error();
          rest = *next;
        }
        const ByteView part = rest.first(std::min(rest.size(), out.size()));
        std::ranges::copy(part, out.begin());
        rest = rest.subspan(part.size());
        return part.size();
      });
  acr::UploadBlobOptions how;
  how.upload.way = registry::UploadWay::chunks;  // the source is read between the requests
  how.upload.chunk_size = 100'000;
  how.custom_headers.add("X-Mine", "1");
  how.client_request_id = "my-id";
  fake_.server().clear_log();
  ASSERT_THAT(one.upload_blob(*source, context_, how), IsOk());
  for (const HttpRequest& request : fake_.server().log()) {
    EXPECT_EQ(request.header("X-Mine"), "1") << request.method;
    EXPECT_EQ(request.header("x-ms-client-request-id"), "my-id") << request.method;
  }
}

TEST_F(ContentClientTest, WorksWithATokenThatExpiresInTheMiddleOfAnUpload) {
  change([](auto& behaviour) { behaviour.auth = RegistryBehaviour::Auth::bearer; });
  auto with = options();
  with.credential = alice();
  with.token_folder.reset();
  fake_.fault({.method = "PATCH", .from = 2},
              [this](const HttpRequest& request, const HttpServer::Handler& usual) {
                change([](auto& behaviour) { behaviour.refuse_cached_tokens = true; });
                HttpReply reply = usual(request);
                change([](auto& behaviour) { behaviour.refuse_cached_tokens = false; });
                return reply;
              });
  acr::UploadBlobOptions how;
  how.upload.way = registry::UploadWay::chunks;
  how.upload.chunk_size = 500'000;
  const std::string bytes = pattern_bytes(2'000'000);
  ASSERT_THAT(content(with).upload_blob(as_bytes(bytes), context_, how), IsOk());
  EXPECT_TRUE(fake_.has_blob(kName, digest_text(bytes)));
}

}  // namespace
}  // namespace berth::test
