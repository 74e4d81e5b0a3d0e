// SPDX-License-Identifier: Apache-2.0
// The fake registry as an Azure container registry: what clients of ours do not ask for yet, and
// the bytes that were recorded.
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_registry.hpp"
#include "support/jwt.hpp"
#include "support/test_client.hpp"

namespace berth::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

class FakeAcrTest : public ::testing::Test {
 protected:
  TestClient client(HttpFields headers = {}) {
    return TestClient(registry_.origin(), {.headers = std::move(headers)});
  }
  int patch(const std::string& target, const std::string& body) {
    return client().send("PATCH", target, {}, body).status;
  }
  /// An access token of alice for the scopes, as they stand in a query.
  std::string token(const std::string& scopes) {
    const std::string target = "/oauth2/token?service=" + registry_.host() + "&scope=" + scopes;
    const TestReply reply = client({{"Authorization", "Basic YWxpY2U6d29uZGVy"}}).get(target);
    return nlohmann::json::parse(reply.body)["access_token"];
  }
  void ask_for_tokens() {
    registry_.change(
        [](RegistryBehaviour& behaviour) { behaviour.auth = RegistryBehaviour::Auth::bearer; });
  }
  int read(const std::string& target) {
    return client({{"Accept", "application/vnd.oci.image.manifest.v1+json"}}).get(target).status;
  }
  FakeRegistry registry_{{.redirect_blobs = true, .acr = true}};
};

TEST_F(FakeAcrTest, AnswersWithItsHeaders) {
  const TestReply reply = client({{"x-ms-client-request-id", "mine"}}).get("/v2/");
  EXPECT_EQ(reply.body, "{}");
  EXPECT_EQ(reply.header("Server"), "openresty");
  EXPECT_EQ(reply.header("X-Ms-Client-Request-Id"), "mine");
  EXPECT_NE(reply.header("X-Ms-Correlation-Request-Id"), "");
}

TEST_F(FakeAcrTest, WhatItDoesNotKnow) {
  const TestReply path = client().get("/nothing");
  EXPECT_EQ(path.status, 404);
  EXPECT_EQ(path.body, "Not found");
  EXPECT_EQ(path.header("Content-Type"), "application/octet-stream");
  EXPECT_EQ(client().get("/acr/v1/UPPER").body, "404 page not found\n");
  EXPECT_THAT(client().get("/acr/v1/none").body, HasSubstr("NAME_UNKNOWN"));
  registry_.add_image("a", "v1", {});
  EXPECT_THAT(client().get("/v2/a/manifests/wrong-tag").body,
              HasSubstr(R"(manifest tagged by \"wrong-tag\" is not found)"));
}

TEST_F(FakeAcrTest, AManifestIsDeletedByDigestOnly) {
  const FakeImage image = registry_.add_image("a", "v1", {});
  const TestReply reply = client().send("DELETE", "/v2/a/manifests/v1");
  EXPECT_EQ(reply.status, 405);
  EXPECT_THAT(reply.body, HasSubstr("A manifest can only be deleted by digest."));
  EXPECT_EQ(client().send("DELETE", "/v2/a/manifests/" + image.digest).status, 202);
}

TEST_F(FakeAcrTest, ALockForbidsAPush) {
  const FakeImage image = registry_.add_image("a", "v1", {});
  registry_.lock("a", "v1", true, false);
  const TestReply reply = client().send(
      "PUT", "/v2/a/manifests/v1", {{"Content-Type", "application/vnd.oci.image.manifest.v1+json"}},
      image.manifest);
  EXPECT_EQ(reply.status, 405);
  EXPECT_THAT(reply.body, HasSubstr("REGISTRY_DISALLOWED_OPERATION"));
}

TEST_F(FakeAcrTest, WhatIsNotToBeListedIsLeftOutAndCounted) {
  const FakeImage image = registry_.add_image("a", "v1", {});
  registry_.tag("a", "v2", image.digest);
  registry_.add_image("b", "v1", {});
  for (const std::string& path : {std::string("/acr/v1/b"), std::string("/acr/v1/a/_tags/v2"),
                                  "/acr/v1/a/_manifests/" + image.digest}) {
    EXPECT_EQ(patch(path, R"({"listEnabled":false})"), 200) << path;
  }
  for (const char* list : {"/v2/a/tags/list", "/acr/v1/a/_tags"}) {
    const std::string body = client().get(list).body;
    EXPECT_THAT(body, AllOf(HasSubstr(R"("v1")"), Not(HasSubstr(R"("v2")")))) << list;
  }
  for (const char* list : {"/v2/_catalog", "/acr/v1/_catalog"}) {
    const std::string body = client().get(list).body;
    EXPECT_THAT(body, AllOf(HasSubstr(R"("a")"), Not(HasSubstr(R"("b")")))) << list;
  }
  EXPECT_THAT(client().get("/acr/v1/a/_manifests").body, HasSubstr(R"("manifests":null)"));
  EXPECT_THAT(client().get("/acr/v1/a").body,
              AllOf(HasSubstr(R"("manifestCount":1)"), HasSubstr(R"("tagCount":2)")));
  EXPECT_EQ(read("/v2/a/manifests/v2"), 200) << "who names it reads it";
}

TEST_F(FakeAcrTest, WhatIsNotToBeReadIsNotAndIsShownByItsProperties) {
  const FakeImage image = registry_.add_image("a", "v1", {"layer"});
  const auto readable = [&](const std::string& path, bool may) {
    EXPECT_EQ(patch(path, may ? R"({"readEnabled":true})" : R"({"readEnabled":false})"), 200);
  };
  const std::string by_tag = "/v2/a/manifests/v1";
  const std::string by_digest = "/v2/a/manifests/" + image.digest;
  readable("/acr/v1/a/_tags/v1", false);
  EXPECT_EQ(read(by_tag), 405);
  EXPECT_THAT(client().get(by_tag).body, HasSubstr("REGISTRY_DISALLOWED_OPERATION"));
  EXPECT_EQ(read(by_digest), 200);
  readable("/acr/v1/a/_tags/v1", true);
  readable("/acr/v1/a/_manifests/" + image.digest, false);
  EXPECT_EQ(read(by_tag), 405) << "the tag leads to it";
  EXPECT_EQ(read(by_digest), 405);
  readable("/acr/v1/a/_manifests/" + image.digest, true);
  readable("/acr/v1/a", false);
  EXPECT_EQ(read(by_digest), 405);
  EXPECT_EQ(read("/v2/a/blobs/" + image.layer_digests.front()), 405);
  EXPECT_EQ(client().get("/acr/v1/a").status, 200);
}

TEST_F(FakeAcrTest, ALocationIsGoodAtOneOffset) {
  registry_.add_empty_repository("a");
  const std::string first = client().send("POST", "/v2/a/blobs/uploads/").header("Location");
  EXPECT_THAT(first, StartsWith("/v2/a/blobs/uploads/"));
  const TestReply again = client().get(first);
  EXPECT_EQ(again.status, 204);
  EXPECT_NE(again.header("Location"), first);
  // Both are of the same offset.
  const TestReply one = client().send("PATCH", first, {}, "0123");
  EXPECT_EQ(one.status, 202);
  EXPECT_EQ(one.header("Range"), "0-3");
  const TestReply stale = client().send("PATCH", again.header("Location"), {}, "0123");
  EXPECT_EQ(stale.status, 404);
  EXPECT_THAT(stale.body, HasSubstr("BLOB_UPLOAD_INVALID"));
  EXPECT_EQ(client().get(first).status, 404);
  const std::string digest = digest_text("0123");
  EXPECT_EQ(client().send("PUT", one.header("Location") + "&digest=" + digest).status, 201);
  EXPECT_TRUE(registry_.has_blob("a", digest));
  EXPECT_THAT(client().get(one.header("Location")).body, HasSubstr("BLOB_UPLOAD_UNKNOWN"));
}

TEST_F(FakeAcrTest, ABadContentRangeIsToldInDetail) {
  registry_.add_empty_repository("a");
  std::string location = client().send("POST", "/v2/a/blobs/uploads/").header("Location");
  for (const auto& [range, reason] :
       {std::pair{"4-7", "the Content-Range does not begin where the upload ends"},
        std::pair{"bytes 0-3/*", "the Content-Range header format is invalid"}}) {
    const TestReply refused =
        client({{"Content-Range", range}}).send("PATCH", location, {}, "0123");
    EXPECT_EQ(refused.status, 416);
    const auto error = nlohmann::json::parse(refused.body)["errors"][0];
    EXPECT_EQ(error["detail"], nlohmann::json({{"Range", range}, {"Reason", reason}}));
  }
  EXPECT_EQ(client({{"Content-Range", "0-3"}}).send("PATCH", location, {}, "0123").status, 202);
}

TEST_F(FakeAcrTest, AMountThatMayNotReadItsSourceIsAnUpload) {
  ask_for_tokens();
  registry_.add_empty_repository("a");
  const std::string digest = registry_.add_blob("b", "content");
  const auto mount = [&](const std::string& scopes) {
    return client({{"Authorization", "Bearer " + token(scopes)}})
        .send("POST", "/v2/a/blobs/uploads/?from=b&mount=" + digest);
  };
  const TestReply unasked = mount("repository:a:pull,push");
  EXPECT_EQ(unasked.status, 401);
  EXPECT_THAT(unasked.header("WWW-Authenticate"),
              AllOf(HasSubstr(" repository:b:pull\""), HasSubstr("insufficient_scope")));
  const std::string both = "repository:a:pull,push&scope=repository:b:pull";
  registry_.change([](RegistryBehaviour& behaviour) { behaviour.user_denials["b"] = {"pull"}; });
  const TestReply denied = mount(both);
  EXPECT_EQ(denied.status, 202);
  EXPECT_THAT(denied.header("Location"), StartsWith("/v2/a/blobs/uploads/"));
  EXPECT_FALSE(registry_.has_blob("a", digest));
  registry_.change([](RegistryBehaviour& behaviour) { behaviour.user_denials.clear(); });
  EXPECT_EQ(mount(both).status, 201);
  EXPECT_TRUE(registry_.has_blob("a", digest));
  registry_.change([](RegistryBehaviour& behaviour) { behaviour.user_denials["a"] = {"push"}; });
  EXPECT_EQ(mount(both).status, 401) << "what it writes to is another thing";
}

TEST_F(FakeAcrTest, AnAccessTokenSaysWhatItGives) {
  registry_.change([](RegistryBehaviour& behaviour) { behaviour.user_denials["b"] = {"push"}; });
  const std::string jwt =
      token("repository:b:pull,push&scope=registry:catalog:*&scope=repository:a:push");
  const std::size_t first = jwt.find('.');
  const auto claims =
      nlohmann::json::parse(from_base64url(jwt.substr(first + 1, jwt.rfind('.') - first - 1)));
  EXPECT_EQ(claims["access"], nlohmann::json::parse(R"([
    {"type": "registry", "name": "catalog", "actions": ["*"]},
    {"type": "repository", "name": "a", "actions": ["push"]},
    {"type": "repository", "name": "b", "actions": ["pull"]}])"));
}

TEST_F(FakeAcrTest, BlobsAreAtAnotherHostForAWhile) {
  const std::string digest = registry_.add_blob("a", "content");
  const TestReply redirect = client().get("/v2/a/blobs/" + digest);
  EXPECT_EQ(redirect.status, 307);
  EXPECT_THAT(redirect.body, HasSubstr("Temporary Redirect"));
  const std::string target =
      redirect.header("Location").substr(registry_.storage().origin().size());
  EXPECT_EQ(TestClient(registry_.storage().origin()).get(target).body, "content");
  EXPECT_EQ(
      TestClient(registry_.storage().origin()).get(target, {{"Authorization", "Bearer x"}}).status,
      400);
  registry_.change([](RegistryBehaviour& behaviour) { behaviour.storage_seconds = -1; });
  const std::string late = client().get("/v2/a/blobs/" + digest).header("Location");
  EXPECT_EQ(TestClient(registry_.storage().origin())
                .get(late.substr(registry_.storage().origin().size()))
                .status,
            403);
}

TEST_F(FakeAcrTest, ChallengesAsTheServiceDoes) {
  ask_for_tokens();
  const auto challenge = [&](const std::string& method, const std::string& target,
                             HttpFields headers = {}) {
    return client(std::move(headers)).send(method, target).header("WWW-Authenticate");
  };
  EXPECT_THAT(challenge("GET", "/v2/"), Not(HasSubstr("scope=")));
  EXPECT_THAT(challenge("GET", "/acr/v1/_catalog"), HasSubstr(R"(scope="registry:catalog:*")"));
  EXPECT_THAT(challenge("PATCH", "/acr/v1/library%2Fa/_tags/v1"),
              HasSubstr(R"(scope="repository:library/a:metadata_write")"));
  EXPECT_THAT(challenge("POST", "/acr/v1/_deleted/a/_manifests/sha256:00"),
              HasSubstr(R"(scope="repository:a:deleted_read,deleted_restore")"));
  EXPECT_THAT(challenge("POST", "/v2/a/blobs/uploads/?from=b&mount=sha256:00"),
              MatchesRegex(".*scope=\"repository:a:pu[a-z]+,pu[a-z]+ repository:b:pull\".*"));
  std::set<std::string> orders;
  for (int i = 0; i < 4; ++i) orders.insert(challenge("POST", "/v2/a/blobs/uploads/"));
  EXPECT_EQ(orders.size(), 2U);
  EXPECT_THAT(challenge("GET", "/acr/v1/a"), Not(HasSubstr("error=")));
  EXPECT_THAT(challenge("GET", "/acr/v1/a", {{"Authorization", "Bearer garbage"}}),
              HasSubstr(R"(error="invalid_token")"));
  EXPECT_THAT(client().get("/acr/v1/a").body,
              HasSubstr(R"({"Type":"repository","Name":"a","Action":"metadata_read"})"));
}

TEST_F(FakeAcrTest, LongAnswersComeInChunks) {
  for (int i = 0; i < 20; ++i) registry_.add_image("a", "v" + std::to_string(i), {});
  const TestReply reply = client().get("/acr/v1/a/_tags");
  EXPECT_EQ(reply.header("Transfer-Encoding"), "chunked");
  EXPECT_TRUE(reply.complete);
  EXPECT_EQ(client().get("/acr/v1/a").header("Transfer-Encoding"), "");
}

TEST_F(FakeAcrTest, EmptyListsAreNull) {
  registry_.add_empty_repository("a");
  EXPECT_THAT(client().get("/acr/v1/a/_tags").body, HasSubstr(R"("tags":null)"));
  EXPECT_THAT(client().get("/acr/v1/_deleted/a/_tags").body, HasSubstr(R"("tags":null)"));
}

}  // namespace
}  // namespace berth::test
