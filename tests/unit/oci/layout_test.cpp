// SPDX-License-Identifier: Apache-2.0
#include "berth/oci/layout.hpp"

#include <gtest/gtest.h>

#include "berth/oci/media_type.hpp"

#include "support/matchers.hpp"

namespace berth::oci {
namespace {

using test::HasCode;
using test::IsOk;

Descriptor sample() {
  return {.media_type = std::string(media::kImageManifest),
          .digest = *Digest::parse("sha256:" + std::string(64, 'a')),
          .size = 7,
          .artifact_type = "application/example",
          .annotations = {{std::string(annotation::kRefName), "v1"}},
          .platform = Platform{"linux", "arm64", "v8", ""},
          .urls = {"https://example.com/x"}};
}

TEST(LayoutTest, AcceptsVersionOne) {
  EXPECT_THAT(check_layout_file(kLayoutFile), IsOk());
  EXPECT_THAT(check_layout_file(R"({"imageLayoutVersion": "1.1.0", "x": 1})"
                                "\n"),
              IsOk());
}

TEST(LayoutTest, RefusesAnythingElse) {
  EXPECT_THAT(check_layout_file(R"({"imageLayoutVersion":"2.0.0"})"), HasCode(Errc::unsupported));
  EXPECT_THAT(check_layout_file(R"({"imageLayoutVersion":"10.0"})"), HasCode(Errc::unsupported));
  EXPECT_THAT(check_layout_file("{}"), HasCode(Errc::corrupt));
  EXPECT_THAT(check_layout_file(""), HasCode(Errc::corrupt));
  EXPECT_THAT(check_layout_file(R"({"imageLayoutVersion":1})"), HasCode(Errc::corrupt));
}

TEST(LayoutTest, WritesAnIndexInTheOrderOfTheSpecification) {
  EXPECT_EQ(write_index({sample()}),
            R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",)"
            R"("manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
            R"("digest":"sha256:)" +
                std::string(64, 'a') +
                R"(","size":7,"urls":["https://example.com/x"],)"
                R"("annotations":{"org.opencontainers.image.ref.name":"v1"},)"
                R"("platform":{"architecture":"arm64","os":"linux","variant":"v8"},)"
                R"("artifactType":"application/example"}]})");
}

TEST(LayoutTest, ReadsWhatItWrites) {
  const Result<ManifestDocument> read = parse_manifest(write_index({sample()}), "", std::nullopt);
  ASSERT_THAT(read, IsOk());
  ASSERT_NE(read->index(), nullptr);
  const Descriptor& entry = read->index()->manifests.at(0);
  EXPECT_EQ(entry.platform, sample().platform);
  EXPECT_EQ(entry.annotations, sample().annotations);
  EXPECT_EQ(entry.urls, sample().urls);
  EXPECT_EQ(entry.artifact_type, sample().artifact_type);
  const Result<ManifestDocument> empty = parse_manifest(write_index({}), "", std::nullopt);
  ASSERT_THAT(empty, IsOk());
  EXPECT_TRUE(empty->index()->manifests.empty());
}

}  // namespace
}  // namespace berth::oci
