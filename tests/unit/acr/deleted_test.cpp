// SPDX-License-Identifier: Apache-2.0
#include "berth/acr/deleted.hpp"

#include "unit/acr/acr_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class DeletedTest : public AcrTest {
 protected:
  DeletedTest() {
    change([](auto& behaviour) { behaviour.soft_delete = true; });
  }
};

TEST_F(DeletedTest, ListsWhatWasDeleted) {
  ASSERT_THAT(artifact("v1").remove(context_), IsOk());
  const auto manifests = repository().list_deleted_manifests(context_).all();
  ASSERT_THAT(manifests, IsOk());
  ASSERT_EQ(manifests->size(), 1U);
  EXPECT_EQ(manifests->front().digest.text(), one_.digest);
  EXPECT_TRUE(manifests->front().deleted_at.has_value());
  EXPECT_THAT(manifests->front().tags, UnorderedElementsAre("v1", "latest"));
  const auto tags = repository().list_deleted_tags(context_).all();
  ASSERT_THAT(tags, IsOk());
  ASSERT_EQ(tags->size(), 2U);
  EXPECT_EQ(tags->front().name, "latest");
  EXPECT_EQ(tags->front().digest.text(), one_.digest);
  EXPECT_THAT(client().list_deleted_repository_names(context_).all(),
              IsOkAndHolds(ElementsAre(kName)));
}

TEST_F(DeletedTest, NothingWasDeleted) {
  EXPECT_THAT(repository().list_deleted_manifests(context_).all(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(repository().list_deleted_tags(context_).all(), IsOkAndHolds(IsEmpty()));
}

TEST_F(DeletedTest, RestoresAManifestAndATag) {
  ASSERT_THAT(artifact("v1").remove(context_), IsOk());
  requests();
  acr::RestoreOptions with;
  with.tag = "v1";
  ASSERT_THAT(repository().restore_manifest(digest(one_.digest), with, context_), IsOk());
  EXPECT_EQ(fake_.server().log().back().body, R"({"tag":"v1"})");
  EXPECT_THAT(requests(), ElementsAre("POST /acr/v1/_deleted/library%2Fhello-world/_manifests/" +
                                      encoded(one_.digest) + "?force=False"));
  EXPECT_EQ(fake_.tag_target(kName, "v1"), one_.digest);
}

TEST_F(DeletedTest, RestoresATagToWhatItLastWas) {
  ASSERT_THAT(artifact("v1").delete_tag("demo", context_), IsOk());
  fake_.tag(kName, "demo", one_.digest);
  ASSERT_THAT(artifact("v1").delete_tag("demo", context_), IsOk());
  EXPECT_THAT(repository().restore_tag("demo", {}, context_), IsOkAndHolds(digest(one_.digest)));
  EXPECT_EQ(fake_.tag_target(kName, "demo"), one_.digest);
  EXPECT_THAT(repository().restore_tag("never", {}, context_), HasCode(Errc::not_found));
}

TEST_F(DeletedTest, ATagThatIsTakenIsMovedByForceAlone) {
  ASSERT_THAT(artifact("v1").delete_tag("v1", context_), IsOk());
  fake_.tag(kName, "v1", two_.digest);
  EXPECT_THAT(repository().restore_tag("v1", {}, context_), HasCode(Errc::conflict));
  acr::RestoreOptions with;
  with.force = true;
  EXPECT_THAT(repository().restore_tag("v1", with, context_), IsOk());
  EXPECT_EQ(fake_.tag_target(kName, "v1"), one_.digest);
}

TEST_F(DeletedTest, WhatIsNotThereCannotBeRestored) {
  EXPECT_THAT(repository().restore_manifest(digest("sha256:" + std::string(64, 'c')), {}, context_),
              HasCode(Errc::not_found));
}

}  // namespace
}  // namespace berth::test
