// SPDX-License-Identifier: Apache-2.0
#include "berth/acr/client.hpp"

#include "unit/acr/acr_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

using ClientTest = AcrTest;

TEST_F(ClientTest, TakesAnEndpointOrAName) {
  using Client = acr::ContainerRegistryClient;
  EXPECT_EQ(Client::create("https://r.azurecr.io/")->endpoint(), "https://r.azurecr.io");
  EXPECT_EQ(Client::create("R.azurecr.io")->name(), "r.azurecr.io");
  EXPECT_EQ(Client::create("r.azurecr.io:8443")->endpoint(), "https://r.azurecr.io:8443");
  EXPECT_THAT(Client::create(""), HasCode(Errc::invalid_argument));
  EXPECT_THAT(Client::create("https://r.azurecr.io/v2/"), HasCode(Errc::invalid_argument));
  EXPECT_THAT(Client::create("http://r.azurecr.io"), HasCode(Errc::untrusted));
  EXPECT_THAT(Client::create("https://user:pw@r.azurecr.io"), HasCode(Errc::untrusted));
}

TEST_F(ClientTest, RefusesNamesThatCannotBeBeforeAsking) {
  for (const char* name : {"", "A", "a/../b", "a//b", "a?x", "a/", "-a"}) {
    EXPECT_THAT(client().repository(name), HasCode(Errc::invalid_argument)) << name;
    EXPECT_THAT(client().artifact(name, "v1"), HasCode(Errc::invalid_argument)) << name;
    EXPECT_THAT(client().delete_repository(name, context_), HasCode(Errc::invalid_argument));
  }
  for (const char* tag : {"", "-v", "a b", "sha256:00"}) {
    EXPECT_THAT(client().artifact("a", tag), HasCode(Errc::invalid_argument)) << tag;
  }
  EXPECT_THAT(artifact("v1").delete_tag("", context_), HasCode(Errc::invalid_argument));
  EXPECT_THAT(artifact("v1").get_tag_properties("../x", context_), HasCode(Errc::invalid_argument));
  EXPECT_EQ(fake_.server().requests(), 0);
}

TEST_F(ClientTest, DeletesARepositoryAndSaysWhatThatWas) {
  const auto deleted = client().delete_repository(kName, context_);
  ASSERT_THAT(deleted, IsOk());
  EXPECT_THAT(deleted->manifests_deleted,
              UnorderedElementsAre(digest(one_.digest), digest(two_.digest), digest(index_)));
  EXPECT_THAT(deleted->tags_deleted, UnorderedElementsAre("v1", "latest", "demo", "multi"));
  EXPECT_THAT(fake_.repositories(), IsEmpty());
}

TEST_F(ClientTest, TellsWhatWasNotThereFromWhatWasDeleted) {
  EXPECT_THAT(client().delete_repository("no/such", context_), HasCode(Errc::not_found));
  const auto deleted =
      client().delete_repository("no/such", context_, {{}, /*ignore_not_found=*/true});
  ASSERT_THAT(deleted, IsOk());
  EXPECT_FALSE(deleted->existed);
  EXPECT_THAT(artifact("v1").delete_tag("none", context_), HasCode(Errc::not_found));
  EXPECT_THAT(artifact("v1").delete_tag("none", context_, {{}, true}), IsOk());
  const auto gone = artifact("sha256:" + std::string(64, 'a'));
  EXPECT_THAT(gone.remove(context_), HasCode(Errc::not_found));
  EXPECT_THAT(gone.remove(context_, {{}, true}), IsOk());
  EXPECT_THAT(artifact("none").remove(context_), HasCode(Errc::not_found));
  EXPECT_THAT(artifact("none").remove(context_, {{}, true}), IsOk());
}

TEST_F(ClientTest, ADeletionWhoseAnswerWasLostIsNoMissingTag) {
  // Acted upon, and then the connection broke: the second try finds nothing.
  fake_.fault({.method = "DELETE"}, [](HttpRequest request, const HttpServer::Handler& usual) {
    HttpReply reply = usual(request);
    reply.status = 500;
    return reply;
  });
  EXPECT_THAT(artifact("v1").delete_tag("v1", context_), IsOk());
  EXPECT_EQ(fake_.server().count("DELETE", "*"), 2);
}

TEST_F(ClientTest, KnowsWhetherSomethingExists) {
  EXPECT_THAT(client().repository_exists(kName, context_), IsOkAndHolds(true));
  EXPECT_THAT(client().repository_exists("no/such", context_), IsOkAndHolds(false));
  EXPECT_THAT(artifact("v1").exists(context_), IsOkAndHolds(true));
  EXPECT_THAT(artifact("none").exists(context_), IsOkAndHolds(false));
  EXPECT_THAT(artifact(one_.digest).exists(context_), IsOkAndHolds(true));
  EXPECT_THAT(artifact("sha256:" + std::string(64, '0')).exists(context_), IsOkAndHolds(false));
  EXPECT_EQ(fake_.server().requests(), 6);
  fake_.fault({}, fault::error(403, "DENIED"));
  EXPECT_THAT(client().repository_exists(kName, context_), HasCode(Errc::denied));
}

TEST_F(ClientTest, RepositoryProperties) {
  fake_.set_times(kName, "", 16'781'545'903'266'287, 16'782'387'093'193'468);
  const auto properties = repository().get_properties(context_);
  ASSERT_THAT(properties, IsOk());
  EXPECT_EQ(properties->registry_login_server, fake_.host());
  EXPECT_EQ(properties->name, kName);
  EXPECT_EQ(properties->created_on.text(), "2023-03-07T02:03:10.3266287Z");
  EXPECT_EQ(properties->last_updated_on.text(), "2023-03-08T01:25:09.3193468Z");
  EXPECT_EQ(properties->manifest_count, 3U);
  EXPECT_EQ(properties->tag_count, 4U);
  EXPECT_EQ(properties->can_delete, true);
  EXPECT_EQ(properties->can_write, true);
  EXPECT_EQ(properties->can_list, true);
  EXPECT_EQ(properties->can_read, true);
}

TEST_F(ClientTest, ChangesEachPermissionAlone) {
  using Changes = acr::ChangeableProperties;
  const auto permissions = [](const auto& of) {
    return std::vector{of.can_delete, of.can_write, of.can_list, of.can_read};
  };
  for (auto which :
       {&Changes::can_delete, &Changes::can_write, &Changes::can_list, &Changes::can_read}) {
    Changes off;
    off.*which = false;
    const std::vector expected{off.can_delete.value_or(true), off.can_write.value_or(true),
                               off.can_list.value_or(true), off.can_read.value_or(true)};
    const std::vector<std::optional<bool>> wanted(expected.begin(), expected.end());
    const auto before = repository().get_properties(context_);
    const auto after = repository().update_properties(off, context_);
    ASSERT_THAT(after, IsOk());
    EXPECT_EQ(permissions(*after), wanted);
    EXPECT_EQ(after->last_updated_on, before->last_updated_on);
    const auto manifest = artifact(one_.digest).update_manifest_properties(off, context_);
    ASSERT_THAT(manifest, IsOk());
    EXPECT_EQ(permissions(*manifest), wanted);
    const auto tag = artifact("v1").update_tag_properties("latest", off, context_);
    ASSERT_THAT(tag, IsOk());
    EXPECT_EQ(permissions(*tag), wanted);
    const Changes all{true, true, true, true};
    ASSERT_THAT(repository().update_properties(all, context_), IsOk());
    ASSERT_THAT(artifact(one_.digest).update_manifest_properties(all, context_), IsOk());
    ASSERT_THAT(artifact("v1").update_tag_properties("latest", all, context_), IsOk());
  }
}

TEST_F(ClientTest, ManifestsComeInTheOrderOfTheirLastUpdate) {
  fake_.set_times(kName, two_.digest, 10, 10);
  fake_.set_times(kName, index_, 20, 20);
  fake_.set_times(kName, one_.digest, 5, 30);
  const auto listed = [&](acr::ArtifactManifestOrder order) {
    acr::ListManifestsOptions with;
    with.order = order;
    with.page_size = 1;
    std::vector<std::string> digests;
    const auto items = repository().list_manifest_properties(context_, with).all().value();
    for (const auto& item : items) {
      digests.push_back(item.digest.text());
    }
    return digests;
  };
  using Order = acr::ArtifactManifestOrder;
  EXPECT_THAT(listed(Order::last_updated_on_descending),
              ElementsAre(one_.digest, index_, two_.digest));
  EXPECT_THAT(listed(Order::last_updated_on_ascending),
              ElementsAre(two_.digest, index_, one_.digest));
}

TEST_F(ClientTest, ManifestProperties) {
  const auto image = artifact("demo").get_manifest_properties(context_);
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(image->digest.text(), two_.digest);
  EXPECT_EQ(image->repository_name, kName);
  EXPECT_EQ(image->registry_login_server, fake_.host());
  EXPECT_EQ(image->architecture, acr::known_architecture::kArm);
  EXPECT_EQ(image->operating_system, acr::known_operating_system::kLinux);
  EXPECT_THAT(image->tags, ElementsAre("demo"));
  EXPECT_GT(image->size_in_bytes, two_.manifest.size());
  EXPECT_EQ(image->media_type, "application/vnd.oci.image.manifest.v1+json");
  EXPECT_EQ(image->config_media_type, "application/vnd.oci.image.config.v1+json");
  EXPECT_EQ(image->can_delete, true);
  EXPECT_THAT(image->related_artifacts, IsEmpty());
  const auto index = artifact(index_).get_manifest_properties(context_);
  ASSERT_THAT(index, IsOk());
  EXPECT_EQ(index->architecture, "");
  ASSERT_EQ(index->related_artifacts.size(), 2U);
  EXPECT_EQ(index->related_artifacts[1].digest.text(), two_.digest);
  EXPECT_EQ(index->related_artifacts[1].architecture, "arm");
  EXPECT_EQ(index->related_artifacts[1].operating_system, "linux");
}

TEST_F(ClientTest, TagProperties) {
  fake_.set_times(kName, "v1", 16'781'545'903'266'287, 16'782'387'093'193'400);
  const auto tag = artifact("demo").get_tag_properties("v1", context_);
  ASSERT_THAT(tag, IsOk());
  EXPECT_EQ(tag->name, "v1");
  EXPECT_EQ(tag->digest.text(), one_.digest);
  EXPECT_EQ(tag->repository_name, kName);
  EXPECT_EQ(tag->created_on.text(), "2023-03-07T02:03:10.3266287Z");
  EXPECT_EQ(tag->last_updated_on.text(), "2023-03-08T01:25:09.31934Z");
  EXPECT_EQ(tag->is_signed, false);
  EXPECT_EQ(tag->can_list, true);
}

TEST_F(ClientTest, ListsTheTagsOfAnArtifactAlone) {
  const auto names = [&](Result<std::vector<acr::ArtifactTagProperties>> tags) {
    std::vector<std::string> out;
    for (const auto& tag : tags.value()) out.push_back(tag.name);
    return out;
  };
  EXPECT_THAT(names(artifact("v1").list_tag_properties(context_).all()),
              ElementsAre("latest", "v1"));
  EXPECT_THAT(names(repository().list_tag_properties(context_).all()),
              ElementsAre("demo", "latest", "multi", "v1"));
  // A registry that does not know the filter.
  std::string all;
  acr::ListTagsOptions seen;
  seen.on_response = [&](const acr::RawResponse& raw) { all = raw.body; };
  ASSERT_THAT(repository().list_tag_properties(context_, seen).all(), IsOk());
  fake_.fault({.target = "*digest=*"}, fault::body(all));
  EXPECT_THAT(names(artifact(one_.digest).list_tag_properties(context_).all()),
              ElementsAre("latest", "v1"));
}

}  // namespace

}  // namespace berth::test
