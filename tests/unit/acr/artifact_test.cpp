// SPDX-License-Identifier: Apache-2.0
#include "berth/acr/artifact.hpp"

#include "unit/acr/acr_fixture.hpp"

namespace berth::test {
namespace {

using ArtifactTest = AcrTest;

TEST_F(ArtifactTest, TheReferenceKeepsThePort) {
  EXPECT_EQ(artifact("v1").fully_qualified_reference(), fake_.host() + "/" + kName + ":v1");
  EXPECT_EQ(artifact(one_.digest).fully_qualified_reference(),
            fake_.host() + "/" + kName + "@" + one_.digest);
  const auto far = acr::ContainerRegistryClient::create("https://r.azurecr.io").value();
  EXPECT_EQ(far.artifact("a", "v1")->fully_qualified_reference(), "r.azurecr.io/a:v1");
}

TEST_F(ArtifactTest, SaysWhoseItIs) {
  EXPECT_EQ(artifact("v1").registry_endpoint(), fake_.origin());
  EXPECT_EQ(artifact("v1").repository_name(), kName);
  EXPECT_EQ(repository().registry_endpoint(), fake_.origin());
  EXPECT_EQ(repository().name(), kName);
  EXPECT_EQ(repository().artifact("v1")->repository_name(), kName);
  EXPECT_THAT(repository().artifact(":"), HasCode(Errc::invalid_argument));
}

TEST_F(ArtifactTest, StaysWithItsManifestWhenTheTagMoves) {
  const auto named = artifact("v1");
  ASSERT_THAT(named.digest(context_), IsOkAndHolds(digest(one_.digest)));
  fake_.tag(kName, "v1", two_.digest);
  const acr::RegistryArtifact copy = named;
  EXPECT_EQ(copy.get_manifest_properties(context_)->digest.text(), one_.digest);
  EXPECT_EQ(artifact("v1").get_manifest_properties(context_)->digest.text(), two_.digest);
}

TEST_F(ArtifactTest, OutlivesItsClient) {
  std::optional<acr::ContainerRegistryClient> one = client();
  const auto named = one->artifact(kName, "v1").value();
  auto list = one->list_repository_names(context_);
  one.reset();
  EXPECT_THAT(named.digest(context_), IsOk());
  EXPECT_THAT(list.all(), IsOk());
}

// S421
TEST_F(ArtifactTest, GivesItsManifestAnotherTag) {
  const auto one = artifact("v1");
  fake_.server().clear_log();
  acr::OperationOptions how;
  how.custom_headers.add("X-Mine", "1");
  EXPECT_THAT(one.tag("stable", context_, how), IsOkAndHolds(digest(one_.digest)));
  EXPECT_EQ(fake_.server().log().back().header("X-Mine"), "1");
  EXPECT_EQ(fake_.server().count("GET", "*/blobs/*"), 0);
  EXPECT_EQ(artifact("stable").get_tag_properties("stable", context_)->digest, digest(one_.digest));
  // It stands for that manifest from then on, wherever its tag goes.
  fake_.tag(kName, "v1", index_);
  EXPECT_THAT(one.tag("again", context_), IsOkAndHolds(digest(one_.digest)));
  EXPECT_THAT(artifact(index_).tag("stable", context_), IsOkAndHolds(digest(index_)));
  EXPECT_EQ(artifact("v1").get_tag_properties("stable", context_)->digest, digest(index_));
  fake_.server().clear_log();
  EXPECT_THAT(one.tag("not a tag", context_), HasCode(Errc::invalid_argument));
  EXPECT_EQ(fake_.server().requests(), 0);
  EXPECT_THAT(artifact("no-such-tag").tag("new", context_), HasCode(Errc::not_found));
}

TEST_F(ArtifactTest, DeletesTheTagOrTheManifest) {
  ASSERT_THAT(artifact("v1").delete_tag("latest", context_), IsOk());
  EXPECT_EQ(fake_.tag_target(kName, "latest"), std::nullopt);
  EXPECT_TRUE(fake_.has_manifest(kName, one_.digest));
  ASSERT_THAT(artifact("v1").remove(context_), IsOk());
  EXPECT_FALSE(fake_.has_manifest(kName, one_.digest));
  EXPECT_EQ(fake_.tag_target(kName, "v1"), std::nullopt);
}

}  // namespace
}  // namespace berth::test
