// SPDX-License-Identifier: Apache-2.0
// berth's registry client with the fake and with real registries: the same calls, the same answers.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/registry_suite.hpp"
#include "support/fake_registry.hpp"
#include "support/matchers.hpp"

namespace berth::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* kIndexType = "application/vnd.oci.image.index.v1+json";

class RegistryClientTest : public ::testing::TestWithParam<SuiteCase> {
 protected:
  void SetUp() override {
    server_ = GetParam().make();
    pusher_.emplace(server_->client({"suite/a", "suite/b"}));
    rig_ = make_rig(*server_);
    layer_ = pattern_bytes(100'000);
    layer_digest_ = pusher_->push_blob("suite/a", layer_);
    const std::string config = pusher_->push_blob("suite/a", "{}");
    manifest_ = R"({"schemaVersion":2,"mediaType":")" + std::string(kManifestType) +
                R"(","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
                config +
                R"(","size":2},"layers":[{"mediaType":"application/octet-stream","digest":")" +
                layer_digest_ + R"(","size":100000}]})";
    digest_ = pusher_->push_manifest("suite/a", "v1", manifest_, kManifestType);
  }
  registry::Client& client() { return **rig_; }
  static Digest parse(const std::string& text) { return Digest::parse(text).value(); }
  Result<std::string> read_blob(std::uint64_t offset, std::optional<std::uint64_t> length) {
    auto stream = client().get_blob("suite/a", parse(layer_digest_), offset, length, context_);
    if (!stream) return std::move(stream).error();
    return http::read_all(*stream->body, 1 << 20, context_);
  }
  void names_what_is_missing() {
    EXPECT_THAT(client().list_tags("suite/none", "", context_), HasCode(Errc::not_found));
    EXPECT_THAT(client().head_manifest("suite/a", "none", context_), HasCode(Errc::not_found));
    EXPECT_THAT(client().get_manifest("suite/none", "v1", context_), HasCode(Errc::not_found));
    EXPECT_THAT(client().head_blob("suite/a", parse("sha256:" + std::string(64, '0')), context_),
                HasCode(Errc::not_found));
  }

  std::unique_ptr<SuiteServer> server_;
  std::optional<TestClient> pusher_;
  std::unique_ptr<RegistryRig> rig_;
  Context context_ = Context().with_timeout(std::chrono::seconds(30));
  std::string layer_;
  std::string layer_digest_;
  std::string manifest_;
  std::string digest_;
};

TEST_P(RegistryClientTest, PingsAndLists) {
  EXPECT_THAT(client().ping(context_), IsOk());
  const auto repositories = client().list_repositories("", context_);
  ASSERT_THAT(repositories, IsOk());
  EXPECT_THAT(repositories->names, ElementsAre("suite/a"));
  pusher_->push_manifest("suite/a", "v2", manifest_, kManifestType);
  const auto tags = client().list_tags("suite/a", "", context_);
  ASSERT_THAT(tags, IsOk());
  EXPECT_THAT(tags->names, UnorderedElementsAre("v1", "v2"));
  EXPECT_EQ(tags->next, "");
}

TEST_P(RegistryClientTest, ReadsManifests) {
  for (const std::string& reference : {std::string("v1"), digest_}) {
    const auto head = client().head_manifest("suite/a", reference, context_);
    ASSERT_THAT(head, IsOk());
    EXPECT_EQ(head->digest.text(), digest_);
    EXPECT_EQ(head->size, manifest_.size());
    EXPECT_EQ(head->media_type, kManifestType);
    const auto document = client().get_manifest("suite/a", reference, context_);
    ASSERT_THAT(document, IsOk());
    EXPECT_EQ(document->raw, manifest_);
    EXPECT_EQ(document->media_type, kManifestType);
  }
}

TEST_P(RegistryClientTest, ReadsBlobsAndPartsAndEmptyOnes) {
  const auto head = client().head_blob("suite/a", parse(layer_digest_), context_);
  ASSERT_THAT(head, IsOk());
  EXPECT_EQ(head->size, layer_.size());
  EXPECT_TRUE(head->accepts_ranges);
  EXPECT_THAT(read_blob(0, {}), IsOkAndHolds(layer_));
  EXPECT_THAT(read_blob(70'000, 1000), IsOkAndHolds(layer_.substr(70'000, 1000)));
  EXPECT_THAT(read_blob(99'000, {}), IsOkAndHolds(layer_.substr(99'000)));
  EXPECT_THAT(read_blob(100'000, {}), IsOkAndHolds(std::string()));
  EXPECT_THAT(read_blob(100'001, {}), HasCode(Errc::invalid_argument));
  const Digest empty = parse(pusher_->push_blob("suite/a", ""));
  for (const auto length : {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(4096)}) {
    const auto stream = client().get_blob("suite/a", empty, 0, length, context_);
    ASSERT_THAT(stream, IsOk());
    EXPECT_EQ(stream->total, 0U);
  }
}

TEST_P(RegistryClientTest, FindsReferrersByTheTag) {
  EXPECT_THAT(client().referrers("suite/a", parse(digest_), context_), IsOkAndHolds(IsEmpty()));
  const std::string index = R"({"schemaVersion":2,"mediaType":")" + std::string(kIndexType) +
                            R"(","manifests":[{"mediaType":")" + kManifestType + R"(","digest":")" +
                            digest_ + R"(","size":)" + std::to_string(manifest_.size()) +
                            R"(,"artifactType":"x/sbom"}]})";
  pusher_->push_manifest("suite/a", "sha256-" + digest_.substr(7), index, kIndexType);
  const auto all = client().referrers("suite/a", parse(digest_), context_);
  ASSERT_THAT(all, IsOk());
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ(all->front().artifact_type, "x/sbom");
}

TEST_P(RegistryClientTest, NamesWhatIsMissingAndWhoIsNotKnown) {
  names_what_is_missing();
  if (!server_->wants_credentials()) return;
  auto wrong = alice();
  wrong.password = Secret("wrong");
  for (const auto& credential : {std::optional<credential::Credential>(), std::optional(wrong)}) {
    RegistryRigOptions options;
    options.credential = credential;
    options.ca_file = server_->ca_file();
    RegistryRig rig({server_->origin()}, std::move(options));
    const auto tags = rig->list_tags("suite/a", "", context_);
    ASSERT_THAT(tags, HasCode(Errc::unauthenticated));
    EXPECT_THAT(tags.error().message(), HasSubstr("tags of " + server_->host() + "/suite/a"));
    EXPECT_EQ(tags.error().describe().find("wrong\""), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(Suite, RegistryClientTest, ::testing::ValuesIn(suite_cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace berth::test
