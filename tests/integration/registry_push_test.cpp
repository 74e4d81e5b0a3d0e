// SPDX-License-Identifier: Apache-2.0
// berth pushes to the fake and to real registries: the same calls, the same outcome; and another
// client reads what it pushed.
#include <memory>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/registry_suite.hpp"
#include "support/fake_registry.hpp"
#include "support/matchers.hpp"

namespace berth::test {
namespace {

using registry::Uploaded;
using registry::UploadOptions;
using registry::UploadWay;

class RegistryPushTest : public ::testing::TestWithParam<SuiteCase> {
 protected:
  void SetUp() override {
    server_ = GetParam().make();
    reader_.emplace(server_->client({"suite/a", "suite/b"}));
    rig_ = make_rig(*server_);
  }
  registry::Client& client() { return **rig_; }
  static Digest parse(const std::string& text) { return Digest::parse(text).value(); }
  Result<Uploaded> push(const std::string& bytes, const UploadOptions& options = {},
                        const std::string& repository = "suite/a") {
    const auto source = registry::blob_of_bytes(as_bytes(bytes));
    return client().push_blob(repository, *source, options, context_);
  }
  std::string blob(const std::string& digest) {
    return reader_->get("/v2/suite/a/blobs/" + digest).body;
  }
  std::string image() {
    const auto config = push("{}");
    const auto layer = push(pattern_bytes(10'000));
    return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)"
           R"({"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
           config->digest.text() +
           R"(","size":2},"layers":[{"mediaType":"application/octet-stream","digest":")" +
           layer->digest.text() + R"(","size":10000}]})";
  }

  std::unique_ptr<SuiteServer> server_;
  std::optional<TestClient> reader_;
  std::unique_ptr<RegistryRig> rig_;
  Context context_ = Context().with_timeout(std::chrono::seconds(60));
};

TEST_P(RegistryPushTest, BlobsInEveryWay) {
  unsigned seed = 0;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{9'437'185}}) {
    for (const auto way :
         {UploadWay::automatic, UploadWay::single_put, UploadWay::stream, UploadWay::chunks}) {
      const std::string bytes = pattern_bytes(size, ++seed);
      UploadOptions options{.way = way, .chunk_size = 4'194'304};
      if (way == UploadWay::single_put) options.digest = parse(digest_text(bytes));
      const auto done = push(bytes, options);
      ASSERT_THAT(done, IsOk());
      EXPECT_EQ(done->digest.text(), digest_text(bytes));
      EXPECT_TRUE(blob(done->digest.text()) == bytes);
    }
  }
}

TEST_P(RegistryPushTest, StreamsOfUnknownLength) {
  const std::string bytes = pattern_bytes(5'000'000, 77);
  for (const auto way : {UploadWay::stream, UploadWay::chunks}) {
    std::size_t at = 0;
    const auto source = registry::blob_of_stream([&](std::span<std::byte> out,
                                                     const Context&) -> Result<std::size_t> {
      const ByteView part = as_bytes(bytes).subspan(at, std::min(out.size(), bytes.size() - at));
      std::ranges::copy(part, out.begin());
      at += part.size();
      return part.size();
    });
    const auto done =
        client().push_blob("suite/a", *source, {.way = way, .chunk_size = 1'500'000}, context_);
    ASSERT_THAT(done, IsOk());
    EXPECT_EQ(done->digest.text(), digest_text(bytes));
  }
}

TEST_P(RegistryPushTest, MountsAcrossRepositories) {
  const std::string bytes = pattern_bytes(2'000'000, 5);
  const auto first = push(bytes);
  ASSERT_THAT(first, IsOk());
  UploadOptions options{.digest = first->digest, .mount_from = "suite/a"};
  const auto mounted = push(bytes, options, "suite/b");
  ASSERT_THAT(mounted, IsOk());
  EXPECT_EQ(mounted->how, Uploaded::How::mounted);
  const auto again = push(bytes, options, "suite/b");
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->how, Uploaded::How::was_there);
  options.digest = parse(digest_text("nowhere"));
  const auto sent = push("nowhere", options, "suite/b");
  ASSERT_THAT(sent, IsOk());
  EXPECT_EQ(sent->how, Uploaded::How::sent);
}

TEST_P(RegistryPushTest, WrongDataIsRefusedAndNothingIsKept) {
  UploadOptions options{.digest = parse(digest_text("other"))};
  EXPECT_THAT(push("data", options), HasCode(Errc::digest_mismatch));
  EXPECT_THAT(client().head_blob("suite/a", *options.digest, context_), HasCode(Errc::not_found));
}

TEST_P(RegistryPushTest, ManifestsTagsAndDeletion) {
  const std::string text = image();
  const auto pushed = client().put_manifest("suite/a", "v1", text, {}, context_);
  ASSERT_THAT(pushed, IsOk());
  const HttpFields accept{{"Accept", "application/vnd.oci.image.manifest.v1+json"}};
  EXPECT_EQ(reader_->get("/v2/suite/a/manifests/v1", accept).body, text);
  EXPECT_THAT(client().tag("suite/a", "v1", "stable", context_), IsOkAndHolds(pushed->digest));
  // docker-registry 2.8 cannot untag: said so, and nothing is lost.
  EXPECT_THAT(client().delete_tag("suite/a", "stable", context_), HasCode(Errc::unsupported));
  EXPECT_THAT(client().head_manifest("suite/a", "stable", context_), IsOk());
  ASSERT_THAT(client().delete_manifest("suite/a", pushed->digest, context_), IsOk());
  EXPECT_THAT(client().head_manifest("suite/a", "v1", context_), HasCode(Errc::not_found));
  EXPECT_THAT(client().delete_manifest("suite/a", pushed->digest, context_),
              HasCode(Errc::not_found));
}

TEST_P(RegistryPushTest, AManifestWhoseBlobsAreMissingIsRefused) {
  std::string text = image();
  const std::string layer = digest_text(pattern_bytes(10'000));
  text.replace(text.find(layer), layer.size(), digest_text("never pushed"));
  const auto refused = client().put_manifest("suite/a", "v1", text, {}, context_);
  ASSERT_THAT(refused, HasCode(Errc::invalid_argument));
  EXPECT_EQ(refused.error().http()->status, 400);
  EXPECT_EQ(refused.error().http()->registry_code, "MANIFEST_BLOB_UNKNOWN");
}

TEST_P(RegistryPushTest, BlobsAreDeleted) {
  const auto done = push("to be deleted");
  ASSERT_THAT(done, IsOk());
  ASSERT_THAT(client().delete_blob("suite/a", done->digest, context_), IsOk());
  EXPECT_THAT(client().delete_blob("suite/a", done->digest, context_), HasCode(Errc::not_found));
}

TEST_P(RegistryPushTest, ReferrersAreKeptByTheTag) {
  const auto subject = client().put_manifest("suite/a", "v1", image(), {}, context_);
  ASSERT_THAT(subject, IsOk());
  const auto config = push("{}");
  const std::string text =
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
      R"("artifactType":"x/sbom","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":")" +
      config->digest.text() + R"(","size":2},"layers":[],"subject":{"mediaType":)" +
      R"("application/vnd.oci.image.manifest.v1+json","digest":")" + subject->digest.text() +
      R"(","size":)" + std::to_string(image().size()) + "}}";
  const auto referrer = client().put_manifest("suite/a", "", text, {}, context_);
  ASSERT_THAT(referrer, IsOk());
  auto listed = client().referrers("suite/a", subject->digest, context_);
  ASSERT_THAT(listed, IsOk());
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ(listed->front().artifact_type, "x/sbom");
  ASSERT_THAT(client().delete_manifest("suite/a", referrer->digest, context_), IsOk());
  listed = client().referrers("suite/a", subject->digest, context_);
  ASSERT_THAT(listed, IsOk());
  EXPECT_TRUE(listed->empty());
}

INSTANTIATE_TEST_SUITE_P(Suite, RegistryPushTest, ::testing::ValuesIn(suite_cases()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace berth::test
