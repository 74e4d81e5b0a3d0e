// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "unit/tree/fake_management.hpp"

namespace berth::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TEST_F(ManagedTest, S130_ATagsFolderHoldsItsPropertiesAFileEach) {
  EXPECT_THAT(names("a/.tags/v1"), ElementsAre("can_delete", "can_list", "can_read", "can_write",
                                               "created", "digest", "updated"));
  EXPECT_EQ(read("a/.tags/v1/digest"), one_->text() + "\n");
  EXPECT_EQ(read("a/.tags/v1/can_delete"), "true\n");
  EXPECT_EQ(read("a/.tags/v1/created"), "2020-09-13T12:26:40Z\n");
  EXPECT_EQ(read("a/.tags/v1/updated"), "2022-04-15T05:20:00Z\n");
  EXPECT_EQ(find("a/.tags/v1/digest")->attributes.size, one_->text().size() + 1);
  EXPECT_THAT(names("a/.tags"), ElementsAre("old/", "v1/", "v2/"));
  EXPECT_EQ(error("a/.tags/none"), Errc::not_found);
  EXPECT_EQ(error("a/.tags/v1/none"), Errc::not_found);
  EXPECT_EQ(error("a/.tags/not a tag"), Errc::not_found);
}

TEST_F(ManagedTest, S131_ARepositoryHasItsPropertiesAndCounts) {
  EXPECT_THAT(names("a/.properties"),
              ElementsAre("can_delete", "can_list", "can_read", "can_write", "created",
                          "manifest_count", "tag_count", "updated"));
  EXPECT_EQ(read("a/.properties/tag_count"), "3\n");
  EXPECT_EQ(read("a/.properties/manifest_count"), "2\n");
  EXPECT_EQ(registry().count("repository properties"), 1U);
}

TEST_F(ManagedTest, S132_AManifestsFolderHasItsProperties) {
  const std::string folder = "a/.manifests/sha256/" + hex(*one_);
  EXPECT_THAT(names(folder), ::testing::Contains("properties/"));
  EXPECT_EQ(read(folder + "/properties/media_type"),
            std::string(oci::media::kImageManifest) + "\n");
  EXPECT_EQ(read(folder + "/properties/size"), "12345\n");
  EXPECT_EQ(read(folder + "/properties/can_write"), "true\n");
  EXPECT_EQ(read(folder + "/properties/artifact_type"),
            std::string(oci::media::kImageConfig) + "\n");
  EXPECT_EQ(read("a/v1/properties/can_write"), "true\n");
}

TEST_F(ManagedTest, S133_OneListingTellsTimesAndTargetsAndNothingIsAskedPerTag) {
  EXPECT_THAT(names("a"), ElementsAre("old@", "v1@", "v2@"));
  EXPECT_EQ(registry().requests(), 2U);  // catalogue and list
  EXPECT_EQ(mtime("a/v1"), 1'650'000'000);
  EXPECT_EQ(mtime("a/v2"), 1'660'000'000);
  EXPECT_EQ(mtime("a/old"), 1'610'000'000);
  EXPECT_EQ(target("a/v1"), ".manifests/sha256/" + hex(*one_));
  EXPECT_EQ(read("a/.tags/v2/can_read"), "true\n");
  see("a/v1/");
  EXPECT_EQ(registry().count("tag list"), 1U);
  EXPECT_EQ(registry().count("tags"), 0U);
  EXPECT_EQ(registry().count("head"), 0U);
  EXPECT_EQ(registry().requests(), 2U);
}

TEST_F(ManagedTest, S133_ALongListIsReadByPages) {
  management_->page_size = 2;
  EXPECT_THAT(names("a"), ElementsAre("old@", "v1@", "v2@"));
  EXPECT_EQ(registry().count("tag list"), 2U);
  EXPECT_EQ(mtime("a/v2"), 1'660'000'000);
}

TEST_F(ManagedTest, S134_OneTagIsOneRequestThatTellsItsTime) {
  EXPECT_EQ(mtime("a/v2"), 1'660'000'000);
  EXPECT_EQ(registry().count("tag properties"), 1U);
  EXPECT_EQ(registry().count("head"), 0U);
  EXPECT_EQ(read("a/.tags/v2/digest"), one_->text() + "\n");
  EXPECT_EQ(registry().count("tag properties"), 1U);
  EXPECT_EQ(error("a/none"), Errc::not_found);
}

TEST_F(ManagedTest, S135_AManifestsFolderHasTheTimeOfItsLastUpdate) {
  management_->records["a@" + two_->text()].updated = 1'605'000'000;
  const std::string folder = "a/.manifests/sha256/" + hex(*two_);
  EXPECT_EQ(mtime(folder), 1'605'000'000);
  EXPECT_EQ(registry().count("manifest properties"), 1U);
  EXPECT_EQ(registry().count("head"), 0U);
  // While only a tag told of it, the tag's.
  EXPECT_EQ(mtime("a/v2", true), 1'660'000'000);
}

TEST_F(ManagedTest, S340_AManifestThatWasReadBeforeHasThatTimeToo) {
  management_->records["a@" + two_->text()].updated = 1'605'000'000;
  const std::string reference = "a@" + two_->text();
  EXPECT_EQ(mtime(reference), 1'605'000'000);
  EXPECT_EQ(registry().count("head"), 0U);
  read(reference + "/manifest.json");
  names(reference + "/");
  EXPECT_EQ(mtime("a/.manifests/sha256/" + hex(*two_)), 1'605'000'000);
  EXPECT_EQ(mtime(reference), 1'605'000'000);
  // The next mount, which finds on the disk that it was seen, and when.
  world.clock.advance(std::chrono::hours(24));
  restart();
  EXPECT_EQ(mtime("a/.manifests/sha256/" + hex(*two_)), 1'605'000'000);
  EXPECT_EQ(mtime(reference), 1'605'000'000);
  restart();
  names("a/old/");
  EXPECT_EQ(mtime("a/old", true), 1'610'000'000);
  restart();
  registry().away = Error(Errc::unavailable, "nobody answers");
  see("a/.manifests/sha256/" + hex(*two_));
}

TEST_F(ManagedTest, S136_ManifestsAreListedAsTheRegistryListsThem) {
  const Digest untagged = registry().push_image("a", "", {{"", "third"}});
  EXPECT_THAT(
      names("a/.manifests/sha256"),
      ::testing::UnorderedElementsAre(hex(*one_) + "/", hex(*two_) + "/", hex(untagged) + "/"));
  const std::size_t asked = registry().requests();
  see("a/.manifests/sha256/" + hex(untagged));
  EXPECT_THAT(names("a/.manifests/sha256"), ::testing::SizeIs(3));
  EXPECT_EQ(registry().requests(), asked);
}

TEST_F(ManagedTest, S137_PropertiesAreBelievedForTheTimeToLive) {
  EXPECT_EQ(read("a/.tags/v1/can_delete"), "true\n");
  management_->records["a:v1"].can.can_delete = false;
  EXPECT_EQ(read("a/.tags/v1/can_delete"), "true\n");
  world.clock.advance(std::chrono::seconds(61));
  EXPECT_EQ(read("a/.tags/v1/can_delete"), "false\n");
  management_->records["a:v1"].can.can_delete = true;
  tree().refresh();
  EXPECT_EQ(read("a/.tags/v1/can_delete"), "true\n");
}

TEST_F(ManagedTest, S138_WhileTheRegistryIsAwayWhatWasSeenIsShown) {
  see("a/.properties/tag_count");
  names("a");
  names("a/.manifests/sha256");
  registry().away = Error(Errc::unavailable, "nobody answers");
  world.clock.advance(std::chrono::seconds(61));
  EXPECT_EQ(read("a/.properties/tag_count"), "3\n");
  EXPECT_EQ(read("a/.tags/v2/can_read"), "true\n");
  EXPECT_EQ(mtime("a/v2"), 1'660'000'000);
  EXPECT_THAT(names("a/.manifests/sha256"), ::testing::SizeIs(2));
  // The next process remembers the tags, with times and locks.
  restart();
  EXPECT_EQ(mtime("a/v2"), 1'660'000'000);
  EXPECT_EQ(read("a/.tags/v2/can_read"), "true\n");
  EXPECT_THAT(read_control("offline"), HasSubstr("a:v2"));
}

TEST_F(ManagedTest, S139_AnotherProcessNeedNotAskAgain) {
  names("a");
  restart();
  const std::size_t asked = registry().requests();
  EXPECT_THAT(names("a"), ElementsAre("old@", "v1@", "v2@"));
  EXPECT_EQ(mtime("a/v2"), 1'660'000'000);
  EXPECT_EQ(read("a/.tags/v2/can_delete"), "true\n");
  EXPECT_EQ(registry().requests(), asked);
}

TEST_F(ManagedTest, S140_AMoveIsSeenByTheListing) {
  std::vector<std::string> changed;
  options.on_changed = [&](const tree::NodePtr&, const std::string& name) {
    changed.push_back(name);
  };
  names("a");
  registry().repositories["a"].tags.insert_or_assign("v1", *two_);
  world.clock.advance(std::chrono::seconds(61));
  names("a");
  EXPECT_EQ(target("a/v1"), ".manifests/sha256/" + hex(*two_));
  EXPECT_THAT(changed, ::testing::Contains("v1"));
  EXPECT_EQ(registry().count("head"), 0U);
}

TEST_F(ManagedTest, S141_WhoMayNotSeePropertiesSeesTheRest) {
  registry().refusals.emplace("tag list", Error(Errc::denied, "no right to metadata_read"));
  registry().refusals.emplace("tag properties", Error(Errc::denied, "no right to metadata_read"));
  EXPECT_THAT(names("a"), ElementsAre("old@", "v1@", "v2@"));
  EXPECT_EQ(target("a/v1"), ".manifests/sha256/" + hex(*one_));
  EXPECT_EQ(read("a/.tags/v1/digest"), one_->text() + "\n");
  EXPECT_THAT(names("a/.tags/v1"), ElementsAre("digest"));
  EXPECT_EQ(registry().count("tag list"), 1U);
  EXPECT_EQ(registry().count("tag properties"), 0U);
  world.clock.advance(std::chrono::seconds(61));
  names("a");
  EXPECT_EQ(registry().count("tag list"), 1U) << "it was refused, and asked again";
}

TEST_F(ManagedTest, S409_PropertiesThatWereNotAskedForAreNotTakenForRefused) {
  registry().away = Error(Errc::unauthenticated, "auth.json is not valid JSON").local();
  EXPECT_THAT(names("a"), ElementsAre("error: unauthenticated"));
  EXPECT_EQ(error("a/v1"), Errc::unauthenticated);
  registry().away.reset();
  EXPECT_THAT(names("a"), ElementsAre("old@", "v1@", "v2@"));
  EXPECT_THAT(names("a/.tags/v1"), ::testing::Contains("can_read"));
  EXPECT_THAT(find("a/.properties"), IsOk());
  EXPECT_EQ(registry().count("head"), 0U);
}

TEST_F(ManagedTest, S142_WithoutPropertiesThereIsTheDigestOfATag) {
  registry().can.properties = registry().can.tag_list_has_digests = false;
  EXPECT_THAT(names("a/.tags/v1"), ElementsAre("digest"));
  EXPECT_EQ(read("a/.tags/v1/digest"), one_->text() + "\n");
  EXPECT_EQ(error("a/.properties"), Errc::not_found);
  EXPECT_EQ(error("a/v1/properties"), Errc::not_found);
  EXPECT_THAT(names("a/v1"), ::testing::Not(::testing::Contains("properties/")));
}

TEST_F(ManagedTest, S143_ATagWithARepositorysNameIsReachedByItsFolder) {
  registry().push_image("a/v1", "x", {{"", "below"}});
  EXPECT_EQ(find("a/v1")->node->type(), tree::Type::folder);
  EXPECT_EQ(read("a/.tags/v1/digest"), one_->text() + "\n");
}

TEST_F(ManagedTest, S144_ListAllShowsThem) {
  options.list_all = true;
  EXPECT_THAT(names("a"), ::testing::IsSupersetOf({".properties/", ".tags/"}));
  registry().can.properties = false;
  restart();
  EXPECT_THAT(names("a"), ::testing::Contains(".tags/"));
  EXPECT_THAT(names("a"), ::testing::Not(::testing::Contains(".properties/")));
}

TEST_F(ManagedTest, S145_WritingSetsThePropertyAtOnce) {
  std::vector<std::string> changed;
  options.on_changed = [&](const tree::NodePtr& folder, const std::string& name) {
    changed.push_back(folder->identity() + "/" + name);
  };
  EXPECT_THAT(write("a/.tags/v1/can_delete", "false\n"), IsOk());
  EXPECT_EQ(management_->records["a:v1"].can.can_delete, false);
  EXPECT_EQ(read("a/.tags/v1/can_delete"), "false\n");
  EXPECT_THAT(changed, ::testing::Contains(HasSubstr("can_delete")));
  EXPECT_EQ(find("a/.tags/v1")->node->identity() + "/can_delete", changed.front());
  EXPECT_THAT(write("a/.properties/can_list", "false"), IsOk());
  EXPECT_EQ(management_->records["a"].can.can_list, false);
  EXPECT_THAT(write("a/v1/properties/can_write", " false "), IsOk());
  EXPECT_EQ(management_->records["a@" + one_->text()].can.can_write, false);
  // Another process does not believe what it was told of the tag before.
  restart();
  const std::size_t asked = registry().count("tag properties");
  EXPECT_EQ(read("a/.tags/v1/can_delete"), "false\n");
  EXPECT_EQ(registry().count("tag properties"), asked);
}

TEST_F(ManagedTest, S146_WhatIsNeitherTrueNorFalseChangesNothing) {
  const auto refused = write("a/.tags/v1/can_delete", "maybe\n");
  ASSERT_THAT(refused, HasCode(Errc::invalid_argument));
  EXPECT_THAT(refused.error().message(), HasSubstr("true or false, not \"maybe\""));
  EXPECT_THAT(write("a/.tags/v1/can_delete", ""), HasCode(Errc::invalid_argument));
  EXPECT_EQ(registry().count("change"), 0U);
}

TEST_F(ManagedTest, S147_NothingElseTakesAText) {
  EXPECT_THAT(write("a/.tags/v1/digest", "x"), HasCode(Errc::denied));
  EXPECT_THAT(write("a/.tags/v1/updated", "x"), HasCode(Errc::denied));
  EXPECT_THAT(write("a/.manifests/sha256/" + hex(*one_) + "/manifest.json", "x"),
              HasCode(Errc::denied));
  EXPECT_THAT(write("a", "x"), HasCode(Errc::denied));
  EXPECT_FALSE(find("a/.tags/v1/digest")->attributes.writable);
  EXPECT_TRUE(find("a/.tags/v1/can_read")->attributes.writable);
  EXPECT_EQ(registry().count("change"), 0U);
}

TEST_F(ManagedTest, ARefusalOfTheRegistryIsGivenAsItIs) {
  see("a/.tags/v1/can_delete");
  registry().refusals.emplace("change", Error(Errc::denied, "no right to metadata_write"));
  EXPECT_THAT(write("a/.tags/v1/can_delete", "false\n"), HasCode(Errc::denied));
  EXPECT_EQ(read("a/.tags/v1/can_delete"), "true\n");
}

TEST_F(ManagedTest, PropertiesOfANodeAreThoseOfItsFolder) {
  const auto of = [&](const std::string& path) {
    const auto properties = tree().properties(find(path)->node, {});
    std::vector<std::string> all;
    for (const auto& [name, text] : *properties) all.push_back(name);
    return all;
  };
  EXPECT_THAT(of("a/v1"), ::testing::Contains("updated"));
  EXPECT_THAT(of("a"), ::testing::Contains("tag_count"));
  EXPECT_THAT(of("a/.manifests/sha256/" + hex(*one_)), ::testing::Contains("size"));
  EXPECT_THAT(of("a/.blobs"), IsEmpty());
  registry().can.properties = false;
  EXPECT_THAT(of("a/v1"), IsEmpty());
}

}  // namespace
}  // namespace berth::test
