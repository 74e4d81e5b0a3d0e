// SPDX-License-Identifier: Apache-2.0
#include "support/fake_registry.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/test_client.hpp"

namespace berth::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";

TEST(FakeRegistryTest, ServesAnImage) {
  FakeRegistry registry;
  const FakeImage image = registry.add_image("library/a", "v1", {"one", "two"});
  const TestClient client(registry.origin());
  const TestReply manifest = client.get("/v2/library/a/manifests/v1", {{"Accept", kManifestType}});
  EXPECT_EQ(manifest.body, image.manifest);
  EXPECT_EQ(manifest.header("Docker-Content-Digest"), image.digest);
  EXPECT_EQ(digest_text(manifest.body), image.digest);
  EXPECT_EQ(manifest.header("Content-Type"), kManifestType);
  EXPECT_EQ(client.get("/v2/library/a/blobs/" + image.layer_digests[1]).body, "two");
  EXPECT_EQ(client.get("/v2/library/a/tags/list").body, R"({"name":"library/a","tags":["v1"]})");
  EXPECT_EQ(client.get("/v2/_catalog").body, R"({"repositories":["library/a"]})");
  EXPECT_THAT(client.get("/v2/library/b/tags/list").body, HasSubstr("NAME_UNKNOWN"));
  EXPECT_THAT(client.get("/v2/library/a/manifests/v2").body, HasSubstr("MANIFEST_UNKNOWN"));
}

TEST(FakeRegistryTest, PagesByLink) {
  FakeRegistry registry({.page_size = 2});
  for (const char* tag : {"a", "b", "c"}) registry.add_image("r", tag, {});
  const TestClient client(registry.origin());
  const TestReply first = client.get("/v2/r/tags/list");
  EXPECT_EQ(first.header("Link"), "</v2/r/tags/list?last=b>; rel=\"next\"");
  const TestReply second = client.get("/v2/r/tags/list?last=b");
  EXPECT_EQ(second.body, R"({"name":"r","tags":["c"]})");
  EXPECT_EQ(second.header("Link"), "");
}

TEST(FakeRegistryTest, ServesRanges) {
  FakeRegistry registry;
  const std::string digest = registry.add_blob("r", "0123456789");
  const TestClient client(registry.origin());
  const auto range = [&](const std::string& value) {
    return client.get("/v2/r/blobs/" + digest, {{"Range", value}});
  };
  EXPECT_EQ(range("bytes=2-4").body, "234");
  EXPECT_EQ(range("bytes=2-4").header("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(range("bytes=7-").body, "789");
  EXPECT_EQ(range("bytes=-1").body, "9");
  EXPECT_EQ(range("bytes=8-99").body, "89");
  EXPECT_EQ(range("bytes=10-").status, 416);
  EXPECT_EQ(range("nonsense").status, 200);
  registry.change([](RegistryBehaviour& behaviour) { behaviour.ranges = false; });
  EXPECT_EQ(range("bytes=2-4").body, "0123456789");
}

TEST(FakeRegistryTest, ListsReferrersAndFilters) {
  FakeRegistry registry;
  const FakeImage image = registry.add_image("r", "v1", {});
  const FakeImage sbom = registry.add_artifact("r", {}, "x/sbom", {}, image.digest);
  registry.add_artifact("r", {}, "x/signature", {{"s", "s"}}, image.digest);
  const TestClient client(registry.origin());
  const TestReply all = client.get("/v2/r/referrers/" + image.digest);
  EXPECT_THAT(all.body, HasSubstr("x/signature"));
  const TestReply some = client.get("/v2/r/referrers/" + image.digest + "?artifactType=x/sbom");
  EXPECT_THAT(some.body, HasSubstr(sbom.digest));
  EXPECT_THAT(some.body, Not(HasSubstr("x/signature")));
  EXPECT_EQ(some.header("OCI-Filters-Applied"), "artifactType");
  registry.change([](RegistryBehaviour& behaviour) { behaviour.referrers_api = false; });
  EXPECT_EQ(client.get("/v2/r/referrers/" + image.digest).status, 404);
}

TEST(FakeRegistryTest, AsksForBasic) {
  FakeRegistry registry({.auth = RegistryBehaviour::Auth::basic});
  EXPECT_EQ(TestClient(registry.origin()).get("/v2/").header("WWW-Authenticate"),
            "Basic realm=\"fake registry\"");
  const HttpFields alice{{"Authorization", "Basic YWxpY2U6d29uZGVy"}};
  EXPECT_EQ(TestClient(registry.origin()).get("/v2/", alice).status, 200);
}

TEST(FakeRegistryTest, GivesTokensThatOpenWhatTheyNameOnly) {
  FakeRegistry registry({.auth = RegistryBehaviour::Auth::bearer});
  registry.add_image("a", "v1", {});
  registry.add_image("b", "v1", {});
  const TestReply refused = TestClient(registry.origin()).get("/v2/a/tags/list");
  EXPECT_EQ(refused.header("WWW-Authenticate"),
            "Bearer realm=\"" + registry.tokens().origin() +
                "/token\",service=\"fake-registry\",scope=\"repository:a:pull\"");
  const TestClient tokens(registry.tokens().origin());
  EXPECT_EQ(tokens.get("/token?scope=repository:a:pull").status, 401);
  const TestReply given =
      tokens.get("/token?scope=repository:a:pull", {{"Authorization", "Basic YWxpY2U6d29uZGVy"}});
  EXPECT_EQ(given.body, R"({"token":"token-1","expires_in":300})");
  const HttpFields bearer{{"Authorization", "Bearer token-1"}};
  EXPECT_EQ(TestClient(registry.origin()).get("/v2/a/tags/list", bearer).status, 200);
  EXPECT_EQ(TestClient(registry.origin()).get("/v2/b/tags/list", bearer).status, 401);
  const TestReply posted = tokens.send("POST", "/token", {},
                                       "grant_type=refresh_token&refresh_token=REFRESH-alice"
                                       "&scope=repository%3Ab%3Apull");
  EXPECT_EQ(posted.status, 200);
  registry.change([](RegistryBehaviour& behaviour) { behaviour.refuse_cached_tokens = true; });
  EXPECT_EQ(TestClient(registry.origin()).get("/v2/a/tags/list", bearer).status, 401);
}

TEST(FakeRegistryTest, RedirectsBlobsToStorageThatRefusesAuthorization) {
  FakeRegistry registry({.redirect_blobs = true});
  const std::string digest = registry.add_blob("a/b", "content");
  const TestReply redirect = TestClient(registry.origin()).get("/v2/a/b/blobs/" + digest);
  EXPECT_EQ(redirect.status, 307);
  const std::string location = redirect.header("Location");
  ASSERT_TRUE(location.starts_with(registry.storage().origin() + "/storage/"));
  const std::string target = location.substr(registry.storage().origin().size());
  const TestClient storage(registry.storage().origin());
  EXPECT_EQ(storage.get(target).body, "content");
  EXPECT_EQ(storage.get(target, {{"Authorization", "Bearer x"}}).status, 400);
}

TEST(FakeRegistryTest, TakesPushesAndDeletes) {
  FakeRegistry registry;
  const TestClient client(registry.origin());
  const std::string config = client.push_blob("r", "{}");
  const std::string manifest =
      R"({"schemaVersion":2,"config":{"digest":")" + config + R"(","size":2},"layers":[]})";
  const std::string digest = client.push_manifest("r", "v1", manifest, kManifestType);
  EXPECT_EQ(registry.tag_target("r", "v1"), digest);
  EXPECT_EQ(client.send("DELETE", "/v2/r/manifests/v1").status, 202);
  EXPECT_TRUE(registry.has_manifest("r", digest));
  EXPECT_EQ(registry.tag_target("r", "v1"), std::nullopt);
  EXPECT_EQ(
      client.send("PUT", "/v2/r/manifests/x", {}, R"({"config":{"digest":"sha256:0"}})").status,
      400);
}

TEST(FaultTest, ComesAtTheScriptedTurn) {
  FakeRegistry registry;
  const std::string digest = registry.add_blob("r", "0123456789");
  registry.fault({.method = "GET", .target = "/v2/r/blobs/*", .from = 2, .times = 2},
                 fault::error(500, "UNKNOWN"));
  const TestClient client(registry.origin());
  std::string statuses;
  for (int i = 0; i < 4; ++i) {
    statuses += std::to_string(client.get("/v2/r/blobs/" + digest).status) + " ";
  }
  EXPECT_EQ(statuses, "200 500 500 200 ");
}

TEST(FaultTest, ChangesTheUsualAnswer) {
  FakeRegistry registry;
  const std::string digest = registry.add_blob("r", "0123456789");
  const TestClient client(registry.origin());
  const auto with = [&](Fault fault) {
    registry.clear_faults();
    registry.fault({.times = 0}, std::move(fault));
    return client.get("/v2/r/blobs/" + digest, {{"Range", "bytes=2-4"}});
  };
  EXPECT_EQ(with(fault::flip_byte(1)).body, "224");
  EXPECT_EQ(with(fault::longer("x")).header("Content-Length"), "4");
  EXPECT_EQ(with(fault::ignore_range()).status, 200);
  EXPECT_EQ(with(fault::shift_content_range(3)).header("Content-Range"), "bytes 5-7/10");
  EXPECT_EQ(with(fault::too_many_requests("880us")).header("Retry-After"), "880us");
  EXPECT_EQ(with(fault::challenge("")).header("WWW-Authenticate"), "");
  EXPECT_EQ(with(fault::drop()).status, 0);
}

TEST(FaultTest, ReadsScripts) {
  const auto script = fault::parse_script(
      R"([{"target": "/v2/", "times": 0, "action": "status", "status": 503,
           "headers": {"Retry-After": "1"}}])");
  ASSERT_EQ(script.size(), 1U);
  FakeRegistry registry;
  registry.fault(script[0].match, script[0].action);
  const TestReply reply = TestClient(registry.origin()).get("/v2/");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.header("Retry-After"), "1");
  EXPECT_EQ(script[0].server, "registry");
  EXPECT_EQ(fault::parse_script(R"([{"server": "storage", "action": "drop"}])")[0].server,
            "storage");
  EXPECT_ANY_THROW(fault::parse_script(R"([{"action": "explode"}])"));
  EXPECT_ANY_THROW(fault::parse_script(R"([{"server": "storag", "action": "drop"}])"));
}

}  // namespace
}  // namespace berth::test
