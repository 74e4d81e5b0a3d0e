// SPDX-License-Identifier: Apache-2.0
#include "berth/oci/manifest.hpp"

#include <gtest/gtest.h>

#include "berth/digest/hasher.hpp"
#include "berth/oci/media_type.hpp"

#include "support/matchers.hpp"

namespace berth::oci {
namespace {

using test::HasCode;
using test::IsOk;
using testing::HasSubstr;

const std::string kA = "sha256:" + std::string(64, 'a');
const std::string kB = "sha256:" + std::string(64, 'b');

std::string descriptor(const std::string& type, const std::string& digest,
                       const std::string& more = "") {
  return R"({"mediaType":")" + type + R"(","digest":")" + digest + R"(","size":7)" + more + "}";
}

const std::string kConfig = descriptor("application/vnd.oci.image.config.v1+json", kA);
const std::string kLayer = descriptor("application/vnd.oci.image.layer.v1.tar+gzip", kB);

/// A manifest or index with these members after schemaVersion.
std::string document(const std::string& members) {
  return R"({"schemaVersion":2,)" + members + "}";
}

std::string image(const std::string& more = "") {
  return document(R"("config":)" + kConfig + R"(,"layers":[)" + kLayer + "]" + more);
}

std::string type_member(std::string_view type) {
  return R"(,"mediaType":")" + std::string(type) + "\"";
}

Result<ManifestDocument> parse(const std::string& raw, std::string_view content_type = "") {
  return parse_manifest(raw, content_type, std::nullopt);
}

TEST(ManifestTest, ReadsAnImageManifestOfOci) {
  const std::string raw = image(type_member(media::kImageManifest) +
                                R"(,"annotations":{"org.opencontainers.image.created":"2024"})");
  const Result<ManifestDocument> parsed = parse(raw, media::kImageManifest);
  ASSERT_THAT(parsed, IsOk());
  EXPECT_EQ(parsed->raw, raw) << "byte for byte";
  EXPECT_EQ(parsed->digest, digest_of(as_bytes(raw)));
  EXPECT_EQ(parsed->media_type, media::kImageManifest);
  ASSERT_NE(parsed->manifest(), nullptr);
  EXPECT_EQ(parsed->index(), nullptr);
  EXPECT_EQ(parsed->manifest()->config.digest.text(), kA);
  ASSERT_EQ(parsed->manifest()->layers.size(), 1U);
  EXPECT_EQ(parsed->manifest()->layers[0].size, 7U);
  const std::string* created = find_annotation(parsed->annotations(), annotation::kCreated);
  ASSERT_NE(created, nullptr);
  EXPECT_EQ(*created, "2024");
  EXPECT_EQ(find_annotation(parsed->annotations(), annotation::kTitle), nullptr);
  EXPECT_EQ(parsed->artifact_type(), media::kImageConfig);
}

TEST(ManifestTest, ReadsDockersSchema2) {
  const std::string raw =
      document(R"("mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":)" +
               descriptor("application/vnd.docker.container.image.v1+json", kA) + R"(,"layers":[)" +
               descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", kB,
                          R"(,"urls":["https://example.com/layer"])") +
               "]");
  const Result<ManifestDocument> parsed = parse(raw, media::kDockerManifest);
  ASSERT_THAT(parsed, IsOk());
  EXPECT_EQ(parsed->media_type, media::kDockerManifest);
  EXPECT_THAT(parsed->manifest()->layers[0].urls,
              testing::ElementsAre("https://example.com/layer"));
}

TEST(ManifestTest, ReadsAnIndexWithPlatforms) {
  for (const auto type : {media::kImageIndex, media::kDockerList}) {
    const std::string raw =
        document(R"("manifests":[)" +
                 descriptor(std::string(media::kImageManifest), kA,
                            R"(,"platform":{"architecture":"arm64","os":"linux","variant":"v8",)"
                            R"("os.version":"1","os.features":["x"]})") +
                 "," + descriptor(std::string(media::kImageManifest), kB, R"(,"platform":{})") +
                 "]" + type_member(type));
    const Result<ManifestDocument> parsed = parse(raw, type);
    ASSERT_THAT(parsed, IsOk());
    EXPECT_EQ(parsed->media_type, type);
    ASSERT_NE(parsed->index(), nullptr);
    ASSERT_EQ(parsed->index()->manifests.size(), 2U);
    EXPECT_EQ(parsed->index()->manifests[0].platform, (Platform{"linux", "arm64", "v8", "1"}));
    EXPECT_EQ(parsed->index()->manifests[1].platform, std::nullopt);
  }
}

TEST(ManifestTest, ReadsAnArtifactWithItsSubject) {
  const std::string raw =
      document(R"("artifactType":"application/example","config":)" +
               descriptor(std::string(media::kEmpty), kA) + R"(,"layers":[)" +
               descriptor("text/plain; charset=utf-8", kB,
                          R"(,"annotations":{"org.opencontainers.image.title":"a.txt"})") +
               R"(],"subject":)" + descriptor(std::string(media::kImageManifest), kB));
  const Result<ManifestDocument> parsed = parse(raw);
  ASSERT_THAT(parsed, IsOk());
  EXPECT_EQ(parsed->artifact_type(), "application/example");
  ASSERT_TRUE(parsed->subject().has_value());
  EXPECT_EQ(parsed->subject()->digest.text(), kB);
  EXPECT_EQ(*find_annotation(parsed->manifest()->layers[0].annotations, annotation::kTitle),
            "a.txt");
  const Descriptor own = parsed->descriptor();
  EXPECT_EQ(own.media_type, media::kImageManifest);
  EXPECT_EQ(own.digest, parsed->digest);
  EXPECT_EQ(own.size, raw.size());
  EXPECT_EQ(own.artifact_type, "application/example");
}

TEST(ManifestTest, InfersTheTypeFromTheShapeWhenNobodySays) {
  for (const char* said : {"", "application/octet-stream", "text/plain; charset=utf-8",
                           "application/json", "binary/octet-stream"}) {
    const Result<ManifestDocument> manifest = parse(image(), said);
    ASSERT_THAT(manifest, IsOk()) << said;
    EXPECT_EQ(manifest->media_type, media::kImageManifest);
    const Result<ManifestDocument> index = parse(document(R"("manifests":[])"), said);
    ASSERT_THAT(index, IsOk()) << said;
    EXPECT_EQ(index->media_type, media::kImageIndex);
  }
}

TEST(ManifestTest, TakesTheTransportsWordWhenTheDocumentIsSilent) {
  const Result<ManifestDocument> parsed =
      parse(image(), "Application/vnd.docker.distribution.manifest.v2+JSON; charset=utf-8");
  ASSERT_THAT(parsed, IsOk());
  EXPECT_EQ(parsed->media_type, media::kDockerManifest);
}

TEST(ManifestTest, RefusesADocumentAndATransportThatDisagree) {
  const Result<ManifestDocument> parsed =
      parse(image(type_member(media::kImageManifest)), media::kImageIndex);
  ASSERT_THAT(parsed, HasCode(Errc::corrupt));
  EXPECT_THAT(parsed.error().message(), HasSubstr("but the registry sent it as"));
  EXPECT_THAT(parse(image(type_member(media::kImageManifest)), media::kDockerManifest),
              HasCode(Errc::corrupt));
}

TEST(ManifestTest, RefusesTheShapeOfBoth) {
  const std::string both = image(R"(,"manifests":[])");
  for (const auto type : {std::string_view(), media::kImageManifest, media::kImageIndex}) {
    const Result<ManifestDocument> parsed = parse(both, type);
    ASSERT_THAT(parsed, HasCode(Errc::corrupt)) << type;
    EXPECT_THAT(parsed.error().message(), HasSubstr("both"));
  }
  EXPECT_THAT(parse(document(R"("manifests":[],"layers":[])")), HasCode(Errc::corrupt));
}

TEST(ManifestTest, RefusesAShapeThatIsNotOfItsType) {
  EXPECT_THAT(parse(image(), media::kImageIndex), HasCode(Errc::corrupt));
  EXPECT_THAT(parse(document(R"("manifests":[])"), media::kImageManifest), HasCode(Errc::corrupt));
  EXPECT_THAT(parse(R"({"schemaVersion":2})"), HasCode(Errc::corrupt));
  EXPECT_THAT(parse(R"({"schemaVersion":2})", media::kImageIndex), HasCode(Errc::corrupt));
  EXPECT_THAT(parse("[]"), HasCode(Errc::corrupt));
  EXPECT_THAT(parse(""), HasCode(Errc::corrupt));
  EXPECT_THAT(parse("<html>please log in</html>"), HasCode(Errc::corrupt));
}

TEST(ManifestTest, ReadsNullListsAsEmptyOnesLikeItsPeers) {
  const Result<ManifestDocument> manifest =
      parse(document(R"("config":)" + kConfig + R"(,"layers":null,"annotations":null)"));
  ASSERT_THAT(manifest, IsOk());
  EXPECT_TRUE(manifest->manifest()->layers.empty());
  const Result<ManifestDocument> index = parse(document(R"("manifests":null)"));
  ASSERT_THAT(index, IsOk());
  EXPECT_TRUE(index->index()->manifests.empty());
}

TEST(ManifestTest, NamesSchema1AsUnsupported) {
  const std::string schema1 = R"({"schemaVersion":1,"name":"a","tag":"b","fsLayers":[]})";
  for (const auto type : {std::string_view(), media::kDockerSchema1, media::kDockerSchema1Signed}) {
    const Result<ManifestDocument> parsed = parse(schema1, type);
    ASSERT_THAT(parsed, HasCode(Errc::unsupported)) << type;
    EXPECT_THAT(parsed.error().message(), HasSubstr("schema 1"));
  }
  EXPECT_THAT(parse("not JSON at all", media::kDockerSchema1Signed), HasCode(Errc::unsupported));
}

TEST(ManifestTest, NamesAnUnknownType) {
  const Result<ManifestDocument> by_transport =
      parse(image(), "application/vnd.oci.artifact.manifest.v1+json");
  ASSERT_THAT(by_transport, HasCode(Errc::unsupported));
  EXPECT_THAT(by_transport.error().message(), HasSubstr("application/vnd.oci.artifact.manifest"));
  EXPECT_THAT(parse(image(type_member("application/x"))), HasCode(Errc::unsupported));
}

TEST(ManifestTest, RefusesAnotherSchemaVersion) {
  EXPECT_THAT(parse(R"({"schemaVersion":3,"manifests":[]})"), HasCode(Errc::corrupt));
  EXPECT_THAT(parse(R"({"schemaVersion":"2","manifests":[]})"), HasCode(Errc::corrupt));
  EXPECT_THAT(parse(R"({"manifests":[]})"), IsOk());
}

TEST(ManifestTest, RefusesDuplicateKeysAndAbsurdDepth) {
  const Result<ManifestDocument> twice = parse(image(R"(,"layers":[])"));
  ASSERT_THAT(twice, HasCode(Errc::corrupt));
  EXPECT_THAT(twice.error().message(), HasSubstr("'layers' twice"));
  EXPECT_THAT(parse(image(R"(,"x":)" + std::string(200, '[') + std::string(200, ']'))),
              HasCode(Errc::corrupt));
}

TEST(ManifestTest, RefusesBrokenDescriptorsAndNamesThem) {
  struct Case {
    std::string layer;
    std::string part_of_message;
  };
  const std::string type = "application/x";
  for (const Case& c : std::vector<Case>{
           {R"({"mediaType":"a/b","digest":")" + kA + R"(","size":-1})", "size"},
           {R"({"mediaType":"a/b","digest":")" + kA + R"(","size":1.5})", "size"},
           {R"({"mediaType":"a/b","digest":")" + kA + R"(","size":"7"})", "size"},
           {R"({"mediaType":"a/b","digest":")" + kA + R"(","size":9223372036854775808})", "size"},
           {R"({"mediaType":"a/b","digest":")" + kA + R"("})", "size is missing"},
           {R"({"mediaType":"a/b","size":1})", "digest is missing"},
           {R"({"digest":")" + kA + R"(","size":1})", "mediaType is missing"},
           {descriptor("no type", kA), "mediaType"},
           {descriptor("a/b\\u0007", kA), "mediaType"},
           {descriptor(type, "sha256:../../x"), "digest"},
           {descriptor(type, "sha256:" + std::string(64, 'A')), "digest"},
           {descriptor(type, kA, R"(,"urls":"x")"), "urls"},
           {descriptor(type, kA, R"(,"annotations":{"k":1})"), "annotations"},
           {descriptor(type, kA, R"(,"platform":"linux")"), "platform"},
           {"7", "an object was expected"}}) {
    const Result<ManifestDocument> parsed =
        parse(document(R"("config":)" + kConfig + R"(,"layers":[)" + kLayer + "," + c.layer + "]"));
    ASSERT_THAT(parsed, HasCode(Errc::corrupt)) << c.layer;
    EXPECT_THAT(parsed.error().message(), HasSubstr("layers[1]: ")) << c.layer;
    EXPECT_THAT(parsed.error().message(), HasSubstr(c.part_of_message)) << c.layer;
  }
}

TEST(ManifestTest, RefusesASizeBeyondEveryInteger) {
  EXPECT_THAT(parse(document(R"("config":{"mediaType":"a/b","digest":")" + kA +
                             R"(","size":99999999999999999999},"layers":[])")),
              HasCode(Errc::corrupt));
}

TEST(ManifestTest, NamesADigestOfAnUnknownAlgorithm) {
  EXPECT_THAT(parse(document(R"("config":)" + descriptor("a/b", "md5:00") + R"(,"layers":[])")),
              HasCode(Errc::unsupported));
}

TEST(ManifestTest, IgnoresWhatItDoesNotKnow) {
  EXPECT_THAT(parse(image(R"(,"x-vendor":{"a":[1,null]},"data":"e30=")")), IsOk());
}

TEST(ManifestTest, VerifiesTheDigestBeforeItReads) {
  const std::string raw = image();
  const Digest right = digest_of(as_bytes(raw), Algorithm::sha512);
  const Result<ManifestDocument> parsed = parse_manifest(raw, "", right);
  ASSERT_THAT(parsed, IsOk());
  EXPECT_EQ(parsed->digest, right);
  EXPECT_THAT(parse_manifest("{broken", "", right), HasCode(Errc::digest_mismatch));
  EXPECT_THAT(parse_manifest(raw, "", Digest::parse("blake3:" + std::string(64, '0')).value()),
              HasCode(Errc::unsupported));
}

TEST(ManifestTest, HasLimits) {
  EXPECT_THAT(parse(std::string(kManifestLimit + 1, ' ')), HasCode(Errc::too_large));
  std::string layers = kLayer;
  for (std::size_t i = 1; i < kDescriptorLimit; ++i) layers += "," + kLayer;
  const std::string start = R"("config":)" + kConfig + R"(,"layers":[)";
  EXPECT_THAT(parse(document(start + layers + "]")), IsOk());
  EXPECT_THAT(parse(document(start + layers + "," + kLayer + "]")), HasCode(Errc::too_large));
}

TEST(ManifestTest, AnErrorNamesTheManifest) {
  const std::string raw = "{";
  EXPECT_THAT(parse(raw).error().message(), HasSubstr(digest_of(as_bytes(raw)).text()));
}

}  // namespace
}  // namespace berth::oci
