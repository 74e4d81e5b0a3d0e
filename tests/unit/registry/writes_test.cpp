// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "berth/oci/media_type.hpp"

#include "unit/registry/registry_fixture.hpp"

namespace berth::test {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr auto kManifestType = oci::media::kImageManifest;

class WritesTest : public RegistryTest {
 protected:
  void SetUp() override {
    image_ = fake_.add_image("r", "v1", {"layer"});
    empty_ = fake_.add_blob("r", "{}");
  }
  /// The text of an artifact that refers to the image.
  std::string referrer(const std::string& type, const std::string& note = "n") {
    return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
           R"("artifactType":")" +
           type + R"(","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":")" +
           empty_ + R"(","size":2},"layers":[],"subject":{"mediaType":")" +
           std::string(kManifestType) + R"(","digest":")" + image_.digest + R"(","size":)" +
           std::to_string(image_.manifest.size()) + R"(},"annotations":{"note":")" + note +
           R"("}})";
  }
  Result<registry::Pushed> put(const std::string& text, const std::string& reference = {}) {
    return client().put_manifest("r", reference, text, {}, context_);
  }
  Result<std::vector<oci::Descriptor>> referrers() {
    return client().referrers("r", digest(image_.digest), context_);
  }
  void without_referrers_api() {
    fake_.change([](auto& behaviour) { behaviour.referrers_api = false; });
  }
  int count(const char* method, const char* glob = "*") {
    return fake_.server().count(method, glob);
  }

  FakeImage image_;
  std::string empty_;
};

TEST_F(WritesTest, PutsAManifestByTagAndByDigest) {
  const std::string text = image_.manifest + " ";
  const auto tagged = put(text, "v2");
  ASSERT_THAT(tagged, IsOk());
  EXPECT_EQ(tagged->digest.text(), digest_text(text));
  EXPECT_EQ(fake_.tag_target("r", "v2"), digest_text(text));
  EXPECT_EQ(fake_.server().log().back().header("Content-Type"), kManifestType);
  EXPECT_EQ(fake_.server().requests(), 1);

  const std::string other = image_.manifest + "  ";
  ASSERT_THAT(put(other), IsOk());
  EXPECT_TRUE(fake_.has_manifest("r", digest_text(other)));
  EXPECT_THAT(put(other, image_.digest), HasCode(Errc::digest_mismatch));
}

TEST_F(WritesTest, PutsTheTextAsItIs) {
  const std::string text = "{ \"schemaVersion\" : 2, \"x\": [1 ,2],\n \"layers\": [] }";
  ASSERT_THAT(client().put_manifest("r", "odd", text, "application/vnd.example+json", context_),
              IsOk());
  const auto back = client().get_raw_manifest("r", "odd", context_);
  ASSERT_THAT(back, IsOk());
  EXPECT_EQ(back->raw, text);
  EXPECT_EQ(fake_.tag_target("r", "odd"), digest_text(text));
}

TEST_F(WritesTest, RefusesWhatCannotBeAManifest) {
  EXPECT_THAT(put("{}"), HasCode(Errc::invalid_argument));  // no media type
  EXPECT_THAT(client().put_manifest("r", "v1", "{}", "nonsense", context_),
              HasCode(Errc::invalid_argument));
  EXPECT_THAT(put(std::string(oci::kManifestLimit + 1, ' ')), HasCode(Errc::too_large));
  EXPECT_EQ(fake_.server().requests(), 0);
}

TEST_F(WritesTest, SaysWhatTheRegistryMisses) {
  fake_.remove_blob("r", image_.layer_digests[0]);
  const auto refused = put(image_.manifest + " ", "v2");
  ASSERT_THAT(refused, HasCode(Errc::invalid_argument));
  EXPECT_THAT(refused.error().message(), HasSubstr("HTTP 400 MANIFEST_BLOB_UNKNOWN"));
  EXPECT_THAT(refused.error().message(), HasSubstr("r:v2"));
}

TEST_F(WritesTest, ARegistryThatStoredAnotherTextIsAMismatch) {
  fake_.fault({.method = "PUT"}, fault::header("Docker-Content-Digest", digest_text("other")));
  EXPECT_THAT(put(image_.manifest, "v2"), HasCode(Errc::digest_mismatch));
}

TEST_F(WritesTest, TagsWithoutAPull) {
  EXPECT_THAT(client().tag("r", "v1", "stable", context_), IsOkAndHolds(digest(image_.digest)));
  EXPECT_EQ(fake_.tag_target("r", "stable"), image_.digest);
  EXPECT_EQ(fake_.server().requests(), 2);
  EXPECT_EQ(count("GET", "*/blobs/*"), 0);
  EXPECT_THAT(client().tag("r", image_.digest, "by-digest", context_), IsOk());
  EXPECT_THAT(client().tag("r", "none", "x", context_), HasCode(Errc::not_found));
  EXPECT_THAT(client().tag("r", "v1", ".no", context_), HasCode(Errc::invalid_argument));
}

TEST_F(WritesTest, UntagsAndLeavesTheManifest) {
  ASSERT_THAT(client().tag("r", "v1", "stable", context_), IsOk());
  ASSERT_THAT(client().delete_tag("r", "v1", context_), IsOk());
  EXPECT_EQ(fake_.tag_target("r", "v1"), std::nullopt);
  EXPECT_EQ(fake_.tag_target("r", "stable"), image_.digest);
  EXPECT_TRUE(fake_.has_manifest("r", image_.digest));
  EXPECT_THAT(client().delete_tag("r", "v1", context_), HasCode(Errc::not_found));
  EXPECT_THAT(client().delete_tag("r", image_.digest, context_), HasCode(Errc::invalid_argument));
}

TEST_F(WritesTest, WhereATagCannotBeRemovedNothingIs) {
  fake_.change([](auto& behaviour) { behaviour.tag_delete = false; });
  const auto refused = client().delete_tag("r", "v1", context_);
  ASSERT_THAT(refused, HasCode(Errc::unsupported));
  EXPECT_THAT(refused.error().message(), HasSubstr("name it by its digest"));
  EXPECT_EQ(fake_.tag_target("r", "v1"), image_.digest);
  EXPECT_EQ(count("DELETE"), 1);
}

TEST_F(WritesTest, DeletesAManifestWithItsTags) {
  ASSERT_THAT(client().delete_manifest("r", digest(image_.digest), context_), IsOk());
  EXPECT_FALSE(fake_.has_manifest("r", image_.digest));
  EXPECT_EQ(fake_.tag_target("r", "v1"), std::nullopt);
  for (const bool look : {true, false}) {
    EXPECT_THAT(client().delete_manifest("r", digest(image_.digest), context_, look),
                HasCode(Errc::not_found));
  }
}

TEST_F(WritesTest, DeletesABlob) {
  ASSERT_THAT(client().delete_blob("r", digest(empty_), context_), IsOk());
  EXPECT_FALSE(fake_.has_blob("r", empty_));
  EXPECT_THAT(client().delete_blob("r", digest(empty_), context_), HasCode(Errc::not_found));
}

TEST_F(WritesTest, ARegistryThatDeletesNothingSaysSo) {
  fake_.fault({.method = "DELETE", .times = 0}, fault::error(405, "UNSUPPORTED"));
  const auto manifest = client().delete_manifest("r", digest(image_.digest), context_);
  ASSERT_THAT(manifest, HasCode(Errc::unsupported));
  EXPECT_THAT(manifest.error().message(), HasSubstr("storage.delete.enabled"));
  EXPECT_THAT(client().delete_blob("r", digest(empty_), context_), HasCode(Errc::unsupported));
}

TEST_F(WritesTest, WhatIsLockedIsNotTakenForARegistryThatDeletesNothing) {
  fake_.fault({.method = "DELETE", .times = 0}, fault::error(405, "REGISTRY_DISALLOWED_OPERATION"));
  for (const auto& refused : {client().delete_manifest("r", digest(image_.digest), context_),
                              client().delete_tag("r", "v1", context_),
                              client().delete_blob("r", digest(empty_), context_)}) {
    ASSERT_THAT(refused, HasCode(Errc::denied));
    EXPECT_THAT(refused.error().message(), HasSubstr("it is locked"));
  }
}

TEST_F(WritesTest, ScopesAreAskedForBeforehand) {
  fake_.change([](auto& behaviour) { behaviour.auth = RegistryBehaviour::Auth::bearer; });
  ASSERT_THAT(put(image_.manifest, "v2"), IsOk());
  ASSERT_THAT(client().delete_manifest("r", digest(image_.digest), context_), IsOk());
}

// --- Referrers.

TEST_F(WritesTest, ARegistryWithReferrersKeepsThemItself) {
  const auto pushed = put(referrer("application/vnd.example.sbom"));
  ASSERT_THAT(pushed, IsOk());
  EXPECT_EQ(pushed->subject, digest(image_.digest));
  EXPECT_EQ(count("PUT"), 1);
  EXPECT_THAT(referrers(), IsOkAndHolds(SizeIs(1)));
}

TEST_F(WritesTest, WhereThereIsNoApiTheTagIsKept) {
  without_referrers_api();
  const auto pushed = put(referrer("application/vnd.example.sbom"));
  ASSERT_THAT(pushed, IsOk());
  const std::string tag = "sha256-" + image_.digest.substr(7);
  EXPECT_TRUE(fake_.tag_target("r", tag).has_value());
  auto listed = referrers();
  ASSERT_THAT(listed, IsOk());
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_EQ(listed->front().digest, pushed->digest);
  EXPECT_EQ(listed->front().artifact_type, "application/vnd.example.sbom");
  EXPECT_THAT(listed->front().annotations, testing::Contains(testing::Pair("note", "n")));

  ASSERT_THAT(put(referrer("application/vnd.example.sbom")), IsOk());  // the same once more
  EXPECT_THAT(referrers(), IsOkAndHolds(SizeIs(1)));
  const auto second = put(referrer("application/vnd.example.signature"));
  ASSERT_THAT(second, IsOk());
  EXPECT_THAT(referrers(), IsOkAndHolds(SizeIs(2)));

  ASSERT_THAT(client().delete_manifest("r", pushed->digest, context_), IsOk());
  listed = referrers();
  ASSERT_THAT(listed, IsOk());
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_EQ(listed->front().digest, second->digest);
}

TEST_F(WritesTest, OfManyWritersNoneIsLost) {
  without_referrers_api();
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < 8; ++i) {
      writers.emplace_back([&, i] {
        EXPECT_THAT(put(referrer("application/vnd.example", std::to_string(i))), IsOk());
      });
    }
  }
  EXPECT_THAT(referrers(), IsOkAndHolds(SizeIs(8)));
}

TEST_F(WritesTest, AnotherMachinesWriteMeanwhileIsWrittenAround) {
  without_referrers_api();
  const std::string tag = "sha256-" + image_.digest.substr(7);
  ASSERT_THAT(put(referrer("application/vnd.example", "first")), IsOk());
  const std::string before = *fake_.tag_target("r", tag);
  // The PUT is answered, and undone at once by somebody who had read the older index.
  fake_.fault({.method = "PUT", .target = "*/manifests/" + tag},
              [&](const HttpRequest& request, const HttpServer::Handler& usual) {
                HttpReply reply = usual(request);
                fake_.tag("r", tag, before);
                return reply;
              });
  ASSERT_THAT(put(referrer("application/vnd.example", "second")), IsOk());
  EXPECT_THAT(referrers(), IsOkAndHolds(SizeIs(2)));
}

TEST_F(WritesTest, ATagThatIsNoIndexIsNotReplaced) {
  without_referrers_api();
  fake_.tag("r", "sha256-" + image_.digest.substr(7), image_.digest);
  EXPECT_THAT(put(referrer("application/vnd.example")), HasCode(Errc::corrupt));
  EXPECT_EQ(fake_.tag_target("r", "sha256-" + image_.digest.substr(7)), image_.digest);
}

TEST_F(WritesTest, MirrorsAreNeverWrittenTo) {
  FakeRegistry mirror;
  RegistryRig rig({mirror.origin(), fake_.origin()}, {.clock = &clock_});
  ASSERT_THAT(rig->put_manifest("r", "v2", image_.manifest, {}, context_), IsOk());
  ASSERT_THAT(rig->delete_tag("r", "v2", context_), IsOk());
  const auto source = registry::blob_of_bytes(as_bytes("new"));
  ASSERT_THAT(rig->push_blob("r", *source, {}, context_), IsOk());
  ASSERT_THAT(rig->delete_blob("r", digest(digest_text("new")), context_), IsOk());
  EXPECT_EQ(mirror.server().requests(), 0);
}

}  // namespace
}  // namespace berth::test
