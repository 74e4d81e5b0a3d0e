// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/registry/registry_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";

class ManifestsTest : public RegistryTest {
 protected:
  void SetUp() override { image_ = fake_.add_image("library/a", "v1", {"one", "two"}); }

  void change(const std::function<void(RegistryBehaviour&)>& how) { fake_.change(how); }
  int heads() { return fake_.server().count("HEAD", "*"); }
  int gets() { return fake_.server().count("GET", "/v2/*/manifests/*"); }

  FakeImage image_;
};

TEST_F(ManifestsTest, GetsByTagAndByDigest) {
  for (const std::string& reference : {std::string("v1"), image_.digest}) {
    const auto document = client().get_manifest("library/a", reference, context_);
    ASSERT_THAT(document, IsOk());
    EXPECT_EQ(document->raw, image_.manifest);
    EXPECT_EQ(document->digest.text(), image_.digest);
    EXPECT_EQ(document->media_type, kManifestType);
    ASSERT_NE(document->manifest(), nullptr);
    EXPECT_EQ(document->manifest()->layers.size(), 2U);
  }
  EXPECT_THAT(fake_.server().log()[0].header("Accept"), HasSubstr("manifest.list.v2+json"));
}

TEST_F(ManifestsTest, HeadTellsWhatGetWould) {
  for (const std::string& reference : {std::string("v1"), image_.digest}) {
    const auto head = client().head_manifest("library/a", reference, context_);
    ASSERT_THAT(head, IsOk());
    EXPECT_EQ(head->digest.text(), image_.digest);
    EXPECT_EQ(head->size, image_.manifest.size());
    EXPECT_EQ(head->media_type, kManifestType);
    EXPECT_EQ(head->etag, "\"" + image_.digest + "\"");
  }
  EXPECT_EQ(gets(), 0);
}

TEST_F(ManifestsTest, HeadOfAStaticRegistryAsksByGet) {
  change([](auto& behaviour) { behaviour.content_digest = behaviour.manifest_types = false; });
  const auto head = client().head_manifest("library/a", "v1", context_);
  ASSERT_THAT(head, IsOk());
  EXPECT_EQ(head->digest.text(), image_.digest);
  EXPECT_EQ(head->size, image_.manifest.size());
  EXPECT_EQ(head->media_type, kManifestType);
  EXPECT_THAT(client().get_manifest("library/a", "v1", context_), IsOk());
}

TEST_F(ManifestsTest, HeadThatIsNotOfferedIsTriedOnce) {
  change([](auto& behaviour) { behaviour.head = false; });
  EXPECT_THAT(client().head_manifest("library/a", "v1", context_), IsOk());
  EXPECT_THAT(client().head_manifest("library/a", "v1", context_), IsOk());
  EXPECT_EQ(heads(), 1);
  EXPECT_EQ(gets(), 2);
}

TEST_F(ManifestsTest, AHeadWhoseLengthWasALieIsNotBelievedAgain) {
  fake_.fault({.method = "HEAD", .times = 0}, fault::header("Content-Length", "12"));
  const auto lie = client().head_manifest("library/a", "v1", context_);
  ASSERT_THAT(lie, IsOk());
  EXPECT_EQ(lie->size, 12U);
  EXPECT_THAT(client().get_manifest("library/a", "v1", context_), IsOk());
  const auto truth = client().head_manifest("library/a", "v1", context_);
  ASSERT_THAT(truth, IsOk());
  EXPECT_EQ(truth->size, image_.manifest.size());
}

TEST_F(ManifestsTest, BytesThatAreNotWhatWasAskedForAreRefused) {
  fake_.fault({.times = 0}, fault::flip_byte(5));
  for (const std::string& reference : {std::string("v1"), image_.digest}) {
    const auto manifest = client().get_raw_manifest("library/a", reference, context_);
    ASSERT_THAT(manifest, HasCode(Errc::digest_mismatch));
    EXPECT_THAT(manifest.error().message(), HasSubstr("manifest of " + fake_.host()));
  }
}

TEST_F(ManifestsTest, AnAnnouncedDigestThatContradictsTheBytesIsRefused) {
  fake_.fault({.times = 0}, fault::header("Docker-Content-Digest", digest_text("else")));
  EXPECT_THAT(client().get_manifest("library/a", "v1", context_), HasCode(Errc::digest_mismatch));
  // By digest the bytes decide.
  EXPECT_THAT(client().get_manifest("library/a", image_.digest, context_), IsOk());
}

TEST_F(ManifestsTest, APageOfAProxyIsNoManifest) {
  fake_.fault({.times = 0}, fault::status(200, "<html>log in</html>",
                                          {{"Content-Type", "text/html; charset=utf-8"}}));
  for (int turn = 0; turn < 2; ++turn) {
    const auto manifest = client().get_raw_manifest("library/a", "v1", context_);
    ASSERT_THAT(manifest, HasCode(Errc::corrupt));
    EXPECT_THAT(manifest.error().message(), HasSubstr("is no manifest (text/html"));
    EXPECT_THAT(client().head_manifest("library/a", "v1", context_), HasCode(Errc::corrupt));
  }
}

TEST_F(ManifestsTest, AHeadByDigestThatNamesAnotherIsCheckedByGet) {
  fake_.fault({.method = "HEAD"}, fault::header("Docker-Content-Digest", digest_text("else")));
  const auto head = client().head_manifest("library/a", image_.digest, context_);
  ASSERT_THAT(head, IsOk());
  EXPECT_EQ(head->digest.text(), image_.digest);
  EXPECT_EQ(gets(), 1);
}

TEST_F(ManifestsTest, TakesDigestsOfOtherAlgorithms) {
  const std::string sha512 =
      fake_.add_manifest("library/a", image_.manifest, kManifestType, "big", "sha512");
  const auto head = client().head_manifest("library/a", "big", context_);
  ASSERT_THAT(head, IsOk());
  EXPECT_EQ(head->digest.text(), sha512);
  const auto document = client().get_manifest("library/a", sha512, context_);
  ASSERT_THAT(document, IsOk());
  EXPECT_EQ(document->digest.text(), sha512);
  // A registry that knows one manifest by several digests may announce another than was asked for.
  fake_.fault({.method = "HEAD"}, fault::header("Docker-Content-Digest", sha512));
  const auto other = client().head_manifest("library/a", image_.digest, context_);
  ASSERT_THAT(other, IsOk());
  EXPECT_EQ(other->digest.text(), image_.digest);
}

TEST_F(ManifestsTest, GivesRawManifestsThatAreNotRead) {
  const std::string schema1 = R"({"schemaVersion":1,"fsLayers":[]})";
  const std::string digest = fake_.add_manifest(
      "library/a", schema1, "application/vnd.docker.distribution.manifest.v1+json", "old");
  const auto raw = client().get_raw_manifest("library/a", digest, context_);
  ASSERT_THAT(raw, IsOk());
  EXPECT_EQ(raw->raw, schema1);
  EXPECT_THAT(client().get_manifest("library/a", "old", context_), HasCode(Errc::unsupported));
}

TEST_F(ManifestsTest, NamesASignedSchema1WhoseDigestCannotBeChecked) {
  fake_.fault({}, fault::status(200, R"({"schemaVersion":1,"signatures":[]})",
                                {{"Content-Type",
                                  "application/vnd.docker.distribution.manifest.v1+prettyjws"}}));
  const auto raw = client().get_raw_manifest("library/a", image_.digest, context_);
  ASSERT_THAT(raw, HasCode(Errc::unsupported));
  EXPECT_THAT(raw.error().message(), HasSubstr("schema 1"));
}

TEST_F(ManifestsTest, RefusesWhatIsTooLarge) {
  fake_.fault({}, fault::body(std::string(oci::kManifestLimit + 1, ' ')));
  EXPECT_THAT(client().get_manifest("library/a", "v1", context_), HasCode(Errc::too_large));
}

TEST_F(ManifestsTest, NamesWhatIsUnknownAndWhatTheRegistrySaid) {
  const auto tag = client().get_manifest("library/a", "no-such", context_);
  ASSERT_THAT(tag, HasCode(Errc::not_found));
  EXPECT_THAT(tag.error().message(), HasSubstr(fake_.host() + "/library/a:no-such"));
  EXPECT_EQ(tag.error().http()->registry_code, "MANIFEST_UNKNOWN");
  EXPECT_THAT(client().head_manifest("library/a", digest_text("x"), context_),
              HasCode(Errc::not_found));
}

TEST_F(ManifestsTest, ChecksReferencesBeforeAsking) {
  for (const char* reference : {"", "sha256:12", "sha256:../x", "a/b", "-x", "a b"}) {
    EXPECT_THAT(client().head_manifest("library/a", reference, context_),
                HasCode(Errc::invalid_argument))
        << reference;
  }
  for (const std::string& digest : {std::string("md5:00"), "blake3:" + std::string(64, 'a')}) {
    EXPECT_THAT(client().head_manifest("library/a", digest, context_), HasCode(Errc::unsupported));
  }
  EXPECT_EQ(fake_.server().requests(), 0);
}

TEST_F(ManifestsTest, OutlivesAServerThatStumbles) {
  fake_.fault({.times = 2}, fault::error(503, "UNAVAILABLE"));
  EXPECT_THAT(client().get_manifest("library/a", "v1", context_), IsOk());
  fake_.fault({}, fault::too_many_requests("7"));
  EXPECT_THAT(client().get_manifest("library/a", "v1", context_), IsOk());
  EXPECT_THAT(clock_.sleeps(), ::testing::Contains(std::chrono::seconds(7)));
}

TEST_F(ManifestsTest, ANonBlockingContextAsksNobody) {
  EXPECT_THAT(client().get_manifest("library/a", "v1", context_.nonblocking()),
              HasCode(Errc::would_block));
  EXPECT_EQ(fake_.server().requests(), 0);
}

}  // namespace
}  // namespace berth::test
