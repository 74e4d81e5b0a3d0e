// SPDX-License-Identifier: Apache-2.0
#include "berth/oci/media_type.hpp"

#include <gtest/gtest.h>

namespace berth::oci {
namespace {

TEST(MediaTypeTest, AcceptsRestrictedNames) {
  for (const auto type :
       {media::kImageManifest, media::kEmpty, media::kDockerSchema1Signed,
        std::string_view("text/plain"), std::string_view("a/b"),
        std::string_view("application/vnd.x!#$&-^_.+y"), std::string_view("A1/2b")}) {
    EXPECT_TRUE(is_media_type(type)) << type;
  }
  EXPECT_TRUE(is_media_type(std::string(127, 'a') + "/" + std::string(127, 'b')));
}

TEST(MediaTypeTest, RefusesEverythingElse) {
  for (const char* type : {"", "/", "a", "a/", "/b", "a/b/c", "a /b", "a/b;c=d", ".a/b", "a/+b",
                           "a/b ", "a/ü", "a/b\n", "*/*", "a/*"}) {
    EXPECT_FALSE(is_media_type(type)) << type;
  }
  EXPECT_FALSE(is_media_type("a/" + std::string(128, 'b')));
}

TEST(MediaTypeTest, CutsParameters) {
  EXPECT_EQ(without_parameters(" Application/JSON ; charset=utf-8; x=y"), "application/json");
  EXPECT_EQ(without_parameters("a/b"), "a/b");
  EXPECT_EQ(without_parameters(""), "");
  EXPECT_EQ(without_parameters(";charset=utf-8"), "");
}

TEST(MediaTypeTest, SortsTheManifestTypes) {
  for (const auto type : {media::kImageManifest, media::kDockerManifest}) {
    EXPECT_TRUE(is_manifest(type) && !is_index(type) && !is_schema1(type)) << type;
  }
  for (const auto type : {media::kImageIndex, media::kDockerList}) {
    EXPECT_TRUE(is_index(type) && !is_manifest(type) && !is_schema1(type)) << type;
  }
  for (const auto type : {media::kDockerSchema1, media::kDockerSchema1Signed}) {
    EXPECT_TRUE(is_schema1(type) && !is_manifest(type) && !is_index(type)) << type;
  }
  EXPECT_FALSE(is_manifest(media::kImageConfig) || is_index(media::kImageConfig));
}

TEST(MediaTypeTest, AsksForEveryTypeThatItReads) {
  for (const auto type : {media::kImageManifest, media::kImageIndex, media::kDockerManifest,
                          media::kDockerList, media::kDockerSchema1, media::kDockerSchema1Signed,
                          media::kOciArtifact, media::kOrasArtifact}) {
    EXPECT_NE(accept_manifests().find(type), std::string_view::npos) << type;
  }
  EXPECT_EQ(accept_manifests().find('\n'), std::string_view::npos);
}

TEST(MediaTypeTest, NamesFilesByTheirType) {
  EXPECT_EQ(file_extension("application/vnd.oci.image.layer.v1.tar+gzip"), ".tar.gz");
  EXPECT_EQ(file_extension("application/vnd.docker.image.rootfs.diff.tar.gzip"), ".tar.gz");
  EXPECT_EQ(file_extension("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), ".tar.gz");
  EXPECT_EQ(file_extension("application/vnd.oci.image.layer.v1.tar+zstd"), ".tar.zst");
  EXPECT_EQ(file_extension("application/vnd.oci.image.layer.v1.tar"), ".tar");
  EXPECT_EQ(file_extension("application/vnd.cncf.helm.chart.content.v1.tar+gzip"), ".tar.gz");
  EXPECT_EQ(file_extension(media::kDockerConfig), ".json");
  EXPECT_EQ(file_extension("application/json"), ".json");
  EXPECT_EQ(file_extension("application/octet-stream"), "");
  EXPECT_EQ(file_extension(""), "");
  EXPECT_EQ(file_extension("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"), "");
}

}  // namespace
}  // namespace berth::oci
