// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/registry/registry_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class ReferrersTest : public RegistryTest {
 protected:
  void SetUp() override {
    image_ = fake_.add_image("r", "v1", {});
    sbom_ = fake_.add_artifact("r", {}, "x/sbom", {{"s.json", "{}"}}, image_.digest).digest;
    signature_ = fake_.add_artifact("r", {}, "x/signature", {{"s", "s"}}, image_.digest).digest;
    signature_tag_ = "sha256-" + image_.digest.substr(7);
  }

  Result<std::vector<std::string>> list() { return list(image_.digest); }
  Result<std::vector<std::string>> list(const std::string& subject) {
    const auto all = client().referrers("r", digest(subject), context_);
    if (!all) return Error(all.error());
    std::vector<std::string> digests;
    for (const auto& descriptor : *all) digests.push_back(descriptor.digest.text());
    return digests;
  }
  void change(const std::function<void(RegistryBehaviour&)>& how) { fake_.change(how); }
  void without_api() {
    change([](auto& behaviour) { behaviour.referrers_api = false; });
  }
  int api_calls() { return fake_.server().count("GET", "/v2/r/referrers/*"); }

  FakeImage image_;
  std::string sbom_;
  std::string signature_;
  std::string signature_tag_;
};

TEST_F(ReferrersTest, ListsByTheApi) {
  const auto all = client().referrers("r", digest(image_.digest), context_);
  ASSERT_THAT(all, IsOk());
  ASSERT_EQ(all->size(), 2U);
  for (const auto& descriptor : *all) {
    EXPECT_EQ(descriptor.artifact_type,
              descriptor.digest.text() == sbom_ ? "x/sbom" : "x/signature");
  }
  EXPECT_THAT(list(sbom_), IsOkAndHolds(IsEmpty()));
}

TEST_F(ReferrersTest, FiltersWhetherOrNotTheRegistryDoes) {
  const auto sboms = [&] {
    const auto all = client().referrers("r", digest(image_.digest), context_, "x/sbom");
    return all && all->size() == 1 ? all->front().digest.text() : std::string("not one");
  };
  EXPECT_EQ(sboms(), sbom_);
  EXPECT_EQ(fake_.server().log().back().query("artifactType"), "x/sbom");
  change([](auto& behaviour) { behaviour.filters_referrers = false; });
  EXPECT_EQ(sboms(), sbom_);
  fake_.add_referrers_tag("r", signature_tag_, image_.digest);
  without_api();
  EXPECT_EQ(sboms(), sbom_);
}

TEST_F(ReferrersTest, FollowsPagesAndDropsWhatComesTwice) {
  change([](auto& behaviour) { behaviour.page_size = 1; });
  EXPECT_THAT(list(), IsOkAndHolds(UnorderedElementsAre(sbom_, signature_)));
  fake_.fault({}, [](const HttpRequest& request, const HttpServer::Handler& usual) {
    HttpReply reply = usual(request);
    reply.set_header("Link", "<" + request.path() + "?again=1>; rel=\"next\"");
    return reply;
  });
  EXPECT_THAT(list(), IsOkAndHolds(UnorderedElementsAre(sbom_, signature_)));
}

TEST_F(ReferrersTest, FallsBackToTheTag) {
  fake_.add_referrers_tag("r", signature_tag_, image_.digest);
  without_api();
  EXPECT_THAT(list(), IsOkAndHolds(UnorderedElementsAre(sbom_, signature_)));
  EXPECT_THAT(list(sbom_), IsOkAndHolds(IsEmpty()));
}

TEST_F(ReferrersTest, RemembersForFiveMinutesThatThereIsNoApi) {
  fake_.add_referrers_tag("r", signature_tag_, image_.digest);
  without_api();
  EXPECT_THAT(list(), IsOk());
  EXPECT_THAT(list(), IsOk());
  EXPECT_EQ(api_calls(), 1);
  clock_.advance(std::chrono::minutes(5));
  change([](auto& behaviour) { behaviour.referrers_api = true; });
  EXPECT_THAT(list(), IsOk());
  EXPECT_EQ(api_calls(), 2);
}

TEST_F(ReferrersTest, AnAnswerThatIsNoIndexMeansThatThereIsNoApi) {
  fake_.add_referrers_tag("r", signature_tag_, image_.digest);
  fake_.fault({}, fault::status(200, "<html>", {{"Content-Type", "text/html"}}));
  EXPECT_THAT(list(), IsOkAndHolds(UnorderedElementsAre(sbom_, signature_)));
  EXPECT_THAT(list(), IsOk());
  EXPECT_EQ(api_calls(), 1);
}

TEST_F(ReferrersTest, WhatOneRepositoryLacksAnotherMayHave) {
  const auto image = fake_.add_image("other", "v1", {"layer"});
  fake_.fault({.target = "/v2/other/referrers/*"}, fault::status(404));
  EXPECT_THAT(client().referrers("other", digest(image.digest), context_), IsOk());
  EXPECT_THAT(list(), IsOkAndHolds(UnorderedElementsAre(sbom_, signature_)));
  EXPECT_EQ(api_calls(), 1) << "of r: it was asked of the API all the same";
}

TEST_F(ReferrersTest, AnUnknownRepositoryIsAnErrorAlsoByTheTag) {
  without_api();
  fake_.fault({.target = "*/manifests/*", .times = 0}, fault::error(404, "NAME_UNKNOWN"));
  EXPECT_THAT(list(), HasCode(Errc::not_found));
}

TEST_F(ReferrersTest, AnUnknownSubjectDoesNotMeanThatThereIsNoApi) {
  fake_.fault({.target = "*/referrers/*"}, fault::error(404, "MANIFEST_UNKNOWN"));
  EXPECT_THAT(list(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(list(), IsOkAndHolds(UnorderedElementsAre(sbom_, signature_)));
}

TEST_F(ReferrersTest, AnUnknownRepositoryIsAnError) {
  EXPECT_THAT(client().referrers("no/such", digest(image_.digest), context_),
              HasCode(Errc::not_found));
}

TEST_F(ReferrersTest, AFailureIsNotTakenForAnEmptyList) {
  fake_.fault({.target = "*/referrers/*", .times = 0}, fault::error(500, "UNKNOWN"));
  EXPECT_THAT(list(), HasCode(Errc::unavailable));
  fake_.clear_faults();
  without_api();
  fake_.fault({.target = "*/manifests/*", .times = 0}, fault::error(403, "DENIED"));
  EXPECT_THAT(list(), HasCode(Errc::denied));
}

TEST_F(ReferrersTest, TakesBothFormsOfALongTag) {
  const std::string sha512 = fake_.add_manifest(
      "r", image_.manifest, "application/vnd.oci.image.manifest.v1+json", {}, "sha512");
  const std::string hex = sha512.substr(7);
  const std::string of_long = fake_.add_artifact("r", {}, "x/long", {}, sha512).digest;
  without_api();
  fake_.add_referrers_tag("r", "sha512-" + hex, sha512);
  EXPECT_THAT(list(sha512), IsOkAndHolds(UnorderedElementsAre(of_long)));
  fake_.add_referrers_tag("r", "sha512-" + hex.substr(0, 64), image_.digest);
  EXPECT_THAT(list(sha512), IsOkAndHolds(UnorderedElementsAre(sbom_, signature_)));
}

TEST_F(ReferrersTest, RefusesATagThatNamesNoIndex) {
  without_api();
  fake_.tag("r", signature_tag_, image_.digest);
  const auto all = list();
  ASSERT_THAT(all, HasCode(Errc::corrupt));
  EXPECT_THAT(all.error().message(), HasSubstr(signature_tag_));
}

TEST_F(ReferrersTest, RefusesBrokenDescriptors) {
  fake_.fault({}, fault::body(R"({"schemaVersion":2,"manifests":[{"digest":"../../x"}]})"));
  EXPECT_THAT(list(), HasCode(Errc::corrupt));
}

}  // namespace
}  // namespace berth::test
