// SPDX-License-Identifier: Apache-2.0
// The same requests, byte by byte, to the fake registry and to docker-registry: what is expected
// here is what the real one says, so that the fake cannot drift from it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/registry_suite.hpp"
#include "support/real_registry.hpp"

namespace berth::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kType = "application/vnd.oci.image.manifest.v1+json";

class RegistryWireTest : public ::testing::TestWithParam<SuiteCase> {
 protected:
  void SetUp() override {
    server_ = GetParam().make();
    client_.emplace(server_->client({"suite/a", "suite/none", "suite"}));
    blob_ = client_->push_blob("suite/a", "0123456789");
    const std::string config = client_->push_blob("suite/a", "{}");
    manifest_ = R"({"schemaVersion":2,"mediaType":")" + std::string(kType) +
                R"(","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
                config +
                R"(","size":2},"layers":[{"mediaType":"application/octet-stream","digest":")" +
                blob_ + R"(","size":10}]})";
    for (const char* tag : {"c", "a", "b"}) {
      digest_ = client_->push_manifest("suite/a", tag, manifest_, kType);
    }
  }

  TestReply get(const std::string& target, HttpFields headers = {}) {
    return client_->get("/v2/" + target, std::move(headers));
  }
  TestReply head(const std::string& target) { return client_->send("HEAD", "/v2/" + target); }
  TestReply range(const std::string& value) {
    return get("suite/a/blobs/" + blob_, {{"Range", value}});
  }

  std::unique_ptr<SuiteServer> server_;
  std::optional<TestClient> client_;
  std::string blob_;
  std::string manifest_;
  std::string digest_;
};

TEST_P(RegistryWireTest, Ping) {
  const TestReply reply = get("");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "{}");
  EXPECT_EQ(reply.header("Docker-Distribution-Api-Version"), "registry/2.0");
}

TEST_P(RegistryWireTest, ManifestByTagAndDigest) {
  for (const std::string& reference : {std::string("a"), digest_}) {
    const TestReply reply = get("suite/a/manifests/" + reference, {{"Accept", kType}});
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, manifest_);
    EXPECT_EQ(reply.header("Content-Type"), kType);
    EXPECT_EQ(reply.header("Docker-Content-Digest"), digest_);
    EXPECT_EQ(reply.header("Etag"), "\"" + digest_ + "\"");
    const TestReply short_one =
        client_->send("HEAD", "/v2/suite/a/manifests/" + reference, {{"Accept", kType}});
    EXPECT_EQ(short_one.status, 200);
    EXPECT_EQ(short_one.body, "");
    EXPECT_EQ(short_one.header("Docker-Content-Digest"), digest_);
    EXPECT_EQ(short_one.header("Content-Length"), std::to_string(manifest_.size()));
  }
}

TEST_P(RegistryWireTest, ManifestForWhoDoesNotAcceptIt) {
  const TestReply reply = get("suite/a/manifests/a");
  EXPECT_EQ(reply.status, 404);
  EXPECT_THAT(reply.body, HasSubstr("MANIFEST_UNKNOWN"));
}

TEST_P(RegistryWireTest, ManifestThatIsKnownAlready) {
  const TestReply reply =
      get("suite/a/manifests/a", {{"Accept", kType}, {"If-None-Match", "\"" + digest_ + "\""}});
  EXPECT_EQ(reply.status, 304);
  EXPECT_EQ(reply.body, "");
}

TEST_P(RegistryWireTest, WhatIsMissing) {
  const std::string unknown = "sha256:" + std::string(64, '0');
  const auto expect = [&](const std::string& target, const char* code) {
    const TestReply reply = get(target);
    EXPECT_EQ(reply.status, 404) << target;
    EXPECT_THAT(reply.header("Content-Type"), StartsWith("application/json")) << target;
    EXPECT_THAT(reply.body, HasSubstr("{\"errors\":[{\"code\":\"" + std::string(code) + "\""))
        << target;
    EXPECT_EQ(head(target).status, 404) << target;
  };
  expect("suite/a/manifests/none", "MANIFEST_UNKNOWN");
  expect("suite/a/manifests/" + unknown, "MANIFEST_UNKNOWN");
  expect("suite/a/blobs/" + unknown, "BLOB_UNKNOWN");
  expect("suite/none/manifests/a", "MANIFEST_UNKNOWN");
  expect("suite/none/blobs/" + unknown, "BLOB_UNKNOWN");
}

TEST_P(RegistryWireTest, TagsOfAnUnknownRepository) {
  const TestReply reply = get("suite/none/tags/list");
  EXPECT_EQ(reply.status, 404);
  EXPECT_THAT(reply.body, HasSubstr("NAME_UNKNOWN"));
}

TEST_P(RegistryWireTest, BlobAndItsRanges) {
  const TestReply whole = get("suite/a/blobs/" + blob_);
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.body, "0123456789");
  EXPECT_EQ(whole.header("Content-Type"), "application/octet-stream");
  EXPECT_EQ(whole.header("Docker-Content-Digest"), blob_);
  EXPECT_EQ(whole.header("Etag"), "\"" + blob_ + "\"");
  EXPECT_EQ(whole.header("Accept-Ranges"), "bytes");
  EXPECT_EQ(head("suite/a/blobs/" + blob_).header("Content-Length"), "10");

  EXPECT_EQ(range("bytes=2-4").status, 206);
  EXPECT_EQ(range("bytes=2-4").body, "234");
  EXPECT_EQ(range("bytes=2-4").header("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(range("bytes=7-").body, "789");
  EXPECT_EQ(range("bytes=-3").body, "789");
  EXPECT_EQ(range("bytes=8-99").header("Content-Range"), "bytes 8-9/10");
  EXPECT_EQ(range("bytes=10-").status, 416);
  EXPECT_EQ(range("bytes=10-").header("Content-Range"), "bytes */10");
}

TEST_P(RegistryWireTest, EmptyBlob) {
  const std::string empty = client_->push_blob("suite/a", "");
  const TestReply whole = get("suite/a/blobs/" + empty);
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.header("Content-Length"), "0");
}

// docker-registry gives them in the order of its folder: nobody may rely on one.
TEST_P(RegistryWireTest, Tags) {
  const TestReply reply = get("suite/a/tags/list");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body, StartsWith(R"({"name":"suite/a","tags":[")"));
  for (const char* tag : {"\"a\"", "\"b\"", "\"c\""}) EXPECT_THAT(reply.body, HasSubstr(tag));
  EXPECT_EQ(reply.header("Link"), "");
}

TEST_P(RegistryWireTest, RepositoriesByPage) {
  client_->push_blob("suite", "x");
  const std::string config = client_->push_blob("suite", "{}");
  client_->push_manifest(
      "suite", "v1",
      R"({"schemaVersion":2,"mediaType":")" + std::string(kType) +
          R"(","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
          config + R"(","size":2},"layers":[]})",
      kType);
  const TestReply first = get("_catalog?n=1");
  EXPECT_EQ(first.status, 200);
  EXPECT_THAT(first.body, HasSubstr(R"({"repositories":["suite"]})"));
  EXPECT_EQ(first.header("Link"), "</v2/_catalog?last=suite&n=1>; rel=\"next\"");
  const TestReply second = get("_catalog?last=suite&n=1");
  EXPECT_THAT(second.body, HasSubstr(R"({"repositories":["suite/a"]})"));
  EXPECT_EQ(get("_catalog?n=100000").status, 400);
  EXPECT_THAT(get("_catalog?n=100000").body, HasSubstr("PAGINATION_NUMBER_INVALID"));
}

TEST_P(RegistryWireTest, NoReferrersApi) {
  const TestReply reply = get("suite/a/referrers/" + digest_);
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.body, "404 page not found\n");
}

TEST_P(RegistryWireTest, Deletions) {
  EXPECT_GE(client_->send("DELETE", "/v2/suite/a/manifests/a").status, 400);
  EXPECT_EQ(client_->send("DELETE", "/v2/suite/a/blobs/" + blob_).status, 202);
  EXPECT_EQ(get("suite/a/blobs/" + blob_).status, 404);
  EXPECT_EQ(client_->send("DELETE", "/v2/suite/a/manifests/" + digest_).status, 202);
  EXPECT_EQ(get("suite/a/manifests/a").status, 404);
}

class RegistryChallengeTest : public ::testing::TestWithParam<SuiteCase> {};

TEST_P(RegistryChallengeTest, WhoIsNotLoggedInIsToldHow) {
  const auto server = GetParam().make();
  const TestReply reply = TestClient(server->origin()).get("/v2/suite/a/tags/list");
  EXPECT_EQ(reply.status, 401);
  EXPECT_THAT(reply.body, HasSubstr("UNAUTHORIZED"));
  const std::string challenge = reply.header("WWW-Authenticate");
  if (GetParam().name == "FakeBasic" || GetParam().name == "RealHtpasswd") {
    EXPECT_THAT(challenge, StartsWith("Basic realm=\""));
    EXPECT_EQ(TestClient(server->origin()).get("/v2/", alice_basic()).status, 200);
  } else {
    EXPECT_THAT(challenge, StartsWith("Bearer realm=\"http://127.0.0.1:"));
    EXPECT_THAT(challenge, HasSubstr(",scope=\"repository:suite/a:pull\""));
  }
}

std::string name_of(const ::testing::TestParamInfo<SuiteCase>& test) { return test.param.name; }

INSTANTIATE_TEST_SUITE_P(Suite, RegistryWireTest,
                         ::testing::ValuesIn(suite_cases({"FakePlain", "RealPlain"})), name_of);
INSTANTIATE_TEST_SUITE_P(Suite, RegistryChallengeTest,
                         ::testing::ValuesIn(suite_cases({"FakeBasic", "FakeBearer", "RealHtpasswd",
                                                          "RealToken"})),
                         name_of);

}  // namespace
}  // namespace berth::test
