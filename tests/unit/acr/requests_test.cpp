// SPDX-License-Identifier: Apache-2.0
// The requests of the SDK for JavaScript (section 4 of the reference): the same, and never more.
#include "unit/acr/acr_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RequestsTest : public AcrTest {
 protected:
  std::string at(const std::string& method, const std::string& rest = {}) {
    return method + " " + kPath + rest + kVersion;
  }
  /// berth asks for larger pages than the SDK, which leaves their size to the service.
  std::string list_of(const std::string& rest) {
    return std::string("GET ") + kPath + rest + "?n=1000&" + std::string(kVersion).substr(1);
  }
  std::string body() { return fake_.server().log().back().body; }
  std::string header(const char* name) { return fake_.server().log().back().header(name); }
};

TEST_F(RequestsTest, ListsRepositories) {
  ASSERT_THAT(client().list_repository_names(context_).all(), IsOkAndHolds(ElementsAre(kName)));
  EXPECT_EQ(header("Accept"), "application/json");
  EXPECT_THAT(requests(), ElementsAre("GET /acr/v1/_catalog?n=1000&api-version=2021-07-01"));
}

TEST_F(RequestsTest, FollowsTheLinkToTheLetter) {
  for (const char* name : {"a", "b", "c"}) fake_.add_image(name, "v1", {});
  ASSERT_THAT(client().list_repository_names(context_, {{}, 2}).all(), IsOk());
  EXPECT_THAT(requests(), ElementsAre("GET /acr/v1/_catalog?n=2&api-version=2021-07-01",
                                      "GET /acr/v1/_catalog?last=b&n=2&orderby="));
}

TEST_F(RequestsTest, OfARepository) {
  const auto repo = repository();
  ASSERT_THAT(repo.get_properties(context_), IsOk());
  ASSERT_THAT(repo.update_properties({.can_delete = true, .can_write = false}, context_), IsOk());
  EXPECT_EQ(body(), R"({"deleteEnabled":true,"writeEnabled":false})");
  EXPECT_EQ(header("Content-Type"), "application/json");
  ASSERT_THAT(repo.update_properties({.can_write = true}, context_), IsOk());
  ASSERT_THAT(repo.update_properties({}, context_), IsOk());
  EXPECT_EQ(body(), "{}");
  ASSERT_THAT(repo.remove(context_), IsOk());
  EXPECT_EQ(header("Accept"), "application/json");
  EXPECT_THAT(requests(),
              ElementsAre(at("GET"), at("PATCH"), at("PATCH"), at("PATCH"), at("DELETE")));
}

TEST_F(RequestsTest, OfLists) {
  const auto repo = repository();
  acr::ListManifestsOptions manifests;
  manifests.order = acr::ArtifactManifestOrder::last_updated_on_descending;
  ASSERT_THAT(repo.list_manifest_properties(context_, manifests).all(), IsOk());
  acr::ListTagsOptions tags;
  tags.order = acr::ArtifactTagOrder::last_updated_on_ascending;
  ASSERT_THAT(repo.list_tag_properties(context_, tags).all(), IsOk());
  EXPECT_THAT(requests(), ElementsAre(list_of("/_manifests") + "&orderby=timedesc",
                                      list_of("/_tags") + "&orderby=timeasc"));
}

TEST_F(RequestsTest, OfAManifestByTagAsksForItsDigestOnce) {
  const auto named = artifact("v1");
  const std::string manifest = "/_manifests/" + encoded(one_.digest);
  ASSERT_THAT(named.get_manifest_properties(context_), IsOk());
  ASSERT_THAT(named.get_manifest_properties(context_), IsOk());
  ASSERT_THAT(named.update_manifest_properties({.can_read = false}, context_), IsOk());
  EXPECT_EQ(body(), R"({"readEnabled":false})");
  ASSERT_THAT(named.remove(context_), IsOk());
  EXPECT_THAT(requests(),
              ElementsAre(at("GET", "/_tags/v1"), at("GET", manifest), at("GET", manifest),
                          at("PATCH", manifest),
                          "DELETE /v2/library%2Fhello-world/manifests/" + encoded(one_.digest)));
}

TEST_F(RequestsTest, OfATag) {
  const auto named = artifact(one_.digest);
  ASSERT_THAT(named.get_tag_properties("v1", context_), IsOk());
  ASSERT_THAT(named.update_tag_properties("v1", {true, true, true, true}, context_), IsOk());
  EXPECT_EQ(body(),
            R"({"deleteEnabled":true,"writeEnabled":true,"listEnabled":true,"readEnabled":true})");
  ASSERT_THAT(named.list_tag_properties(context_).all(), IsOk());
  ASSERT_THAT(named.delete_tag("v1", context_), IsOk());
  EXPECT_THAT(requests(), ElementsAre(at("GET", "/_tags/v1"), at("PATCH", "/_tags/v1"),
                                      list_of("/_tags") + "&digest=" + encoded(one_.digest),
                                      at("DELETE", "/_tags/v1")));
}

TEST_F(RequestsTest, NothingIsAskedToMakeAnObjectOrAList) {
  const auto one = client();
  (void)one.repository("a");
  (void)one.artifact("a", "v1");
  (void)one.list_repository_names(context_);
  (void)artifact("v1").list_tag_properties(context_);
  EXPECT_THAT(requests(), IsEmpty());
}

TEST_F(RequestsTest, SameIdWhenARequestIsRepeated) {
  fake_.fault({.times = 2}, fault::status(503));
  change([](auto& behaviour) { behaviour.auth = RegistryBehaviour::Auth::bearer; });
  auto with = options();
  with.credential = alice();
  ASSERT_THAT(client(with).repository(kName)->get_properties(context_), IsOk());
  std::set<std::string> ids;
  for (const auto& request : fake_.server().log()) {
    if (!request.target.starts_with("/acr/")) continue;
    ids.insert(request.header("x-ms-client-request-id"));
  }
  EXPECT_EQ(fake_.server().count("", "/acr/*"), 4);  // 503, 503, 401, 200
  EXPECT_EQ(ids.size(), 1U);
  EXPECT_EQ(ids.begin()->size(), 36U);
}

/// What a token was asked for, in order; and how many requests the registry refused for want of it.
class ScopesTest : public AcrTest {
 protected:
  ScopesTest() {
    change([](auto& behaviour) { behaviour.auth = RegistryBehaviour::Auth::bearer; });
    auto with = options();
    with.credential = alice();
    client_.emplace(client(with));
  }
  std::vector<std::string> scopes() {
    std::vector<std::string> asked;
    for (const auto& request : fake_.server().log()) {
      if (request.path() == "/oauth2/token") asked.push_back(request.query("scope"));
    }
    return asked;
  }
  std::optional<acr::ContainerRegistryClient> client_;
};

TEST_F(ScopesTest, AreAskedForBeforeTheRegistryDoes) {
  const auto repo = client_->repository(kName).value();
  const auto tagged = repo.artifact("v1").value();
  ASSERT_THAT(repo.get_properties(context_), IsOk());  // the one 401: how this registry asks
  ASSERT_THAT(repo.update_properties({.can_list = true}, context_), IsOk());
  ASSERT_THAT(client_->list_repository_names(context_).all(), IsOk());
  ASSERT_THAT(tagged.get_manifest_properties(context_), IsOk());
  ASSERT_THAT(tagged.delete_tag("v1", context_), IsOk());
  ASSERT_THAT(tagged.remove(context_), IsOk());
  ASSERT_THAT(repo.list_deleted_tags(context_).all(), IsOk());
  const std::string name = "repository:library/hello-world:";
  EXPECT_THAT(scopes(), ElementsAre(name + "metadata_read", name + "metadata_write",
                                    "registry:catalog:*", name + "delete", name + "deleted_read"));
  EXPECT_EQ(fake_.server().requests() - fake_.server().count("", "/oauth2/*"), 9);
}

TEST_F(ScopesTest, AnAdminUserIsGivenTokensForThePasswordWithoutAnExchange) {
  ASSERT_THAT(client_->repository(kName)->get_properties(context_), IsOk());
  change([](auto& behaviour) { behaviour.refuse_cached_tokens = true; });
  ASSERT_THAT(client_->repository(kName)->get_properties(context_), IsOk());
  std::vector<std::string> shown;
  for (const auto& request : fake_.server().log()) {
    const std::string authorization = request.header("Authorization");
    shown.push_back(request.method + " " + request.path() + " " +
                    authorization.substr(0, authorization.find(' ')));
  }
  const std::string asks = std::string("GET ") + kPath;
  const std::string pays = "GET /oauth2/token Basic";
  EXPECT_THAT(shown, ElementsAre(asks + " ", pays, asks + " Bearer",  // how this registry asks
                                 asks + " Bearer", pays, asks + " Bearer"));
}

}  // namespace
}  // namespace berth::test
