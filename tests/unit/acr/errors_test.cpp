// SPDX-License-Identifier: Apache-2.0
// Every refusal of section 2.6 that the calls of this layer can meet, as a person reads it.
#include "unit/acr/acr_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ErrorsTest : public AcrTest {
 protected:
  std::string said(const std::string& code, const std::string& message) {
    return R"({"errors":[{"code":")" + code + R"(","message":")" + message + R"("}]})";
  }
};

TEST_F(ErrorsTest, ARepositoryThatIsNotThere) {
  const auto got = client().repository("no/such")->get_properties(context_);
  ASSERT_THAT(got, HasCode(Errc::not_found));
  EXPECT_EQ(got.error().message(),
            "repository " + fake_.host() +
                "/no/such: the registry does not have it (HTTP 404 NAME_UNKNOWN: repository name "
                "not known to registry)");
  EXPECT_EQ(got.error().http()->registry_code, "NAME_UNKNOWN");
  EXPECT_EQ(got.error().http()->registry_detail, R"({"name":"no/such"})");
  EXPECT_THAT(got.error().http()->correlation_id, StartsWith("correlation-"));
}

TEST_F(ErrorsTest, ATagThatIsNotThere) {
  const auto got = artifact("v1").get_tag_properties("wrong-tag", context_);
  ASSERT_THAT(got, HasCode(Errc::not_found));
  EXPECT_EQ(got.error().message(),
            "tag " + fake_.host() +
                "/library/hello-world:wrong-tag: the registry does not have it (HTTP 404 "
                "TAG_UNKNOWN: the specified tag does not exist)");
  EXPECT_THAT(got.error().http()->registry_detail, HasSubstr(R"("Tag":"wrong-tag")"));
  EXPECT_THAT(artifact("wrong-tag").get_manifest_properties(context_), HasCode(Errc::not_found));
}

TEST_F(ErrorsTest, AManifestThatIsNotThere) {
  const std::string digest = "sha256:" + std::string(64, 'b');
  const auto known = artifact(digest);
  const auto got = known.get_manifest_properties(context_);
  ASSERT_THAT(got, HasCode(Errc::not_found));
  EXPECT_EQ(got.error().message(),
            "manifest " + fake_.host() + "/library/hello-world@" + digest +
                ": the registry does not have it (HTTP 404 MANIFEST_UNKNOWN: manifest " + digest +
                " is not found)");
  const auto deleted = known.remove(context_);
  ASSERT_THAT(deleted, HasCode(Errc::not_found));
  EXPECT_THAT(deleted.error().message(), StartsWith("deleting manifest " + fake_.host()));
}

TEST_F(ErrorsTest, AManifestWhoseTagIsNotThere) {
  const auto content = client().content(kName).value();
  const auto got = content.get_manifest("wrong-tag", context_);
  ASSERT_THAT(got, HasCode(Errc::not_found));
  EXPECT_EQ(got.error().message(),
            "manifest of " + fake_.host() +
                "/library/hello-world:wrong-tag: the registry does not have it (HTTP 404 "
                "MANIFEST_UNKNOWN: manifest tagged by \"wrong-tag\" is not found)");
  EXPECT_EQ(got.error().http()->registry_detail, R"({"Tag":"wrong-tag"})");
}

TEST_F(ErrorsTest, WhatIsLocked) {
  fake_.lock(kName, "v1");
  const auto got = artifact("v1").delete_tag("v1", context_);
  ASSERT_THAT(got, HasCode(Errc::denied));
  EXPECT_THAT(got.error().message(), StartsWith("deleting tag " + fake_.host() +
                                                "/library/hello-world:v1: it is locked: can_write "
                                                "or can_delete is false (HTTP 405 "
                                                "REGISTRY_DISALLOWED_OPERATION: The operation"));
  EXPECT_THAT(got.error().message(), EndsWith("set both to true first"));
  EXPECT_EQ(got.error().http()->status, 405);
  // can_write alone blocks it too; a locked tag keeps its manifest and its repository.
  fake_.lock(kName, "v1", true, false);
  EXPECT_THAT(artifact("v1").delete_tag("v1", context_), HasCode(Errc::denied));
  EXPECT_THAT(artifact("v1").remove(context_), HasCode(Errc::denied));
  EXPECT_THAT(client().delete_repository(kName, context_, {{}, true}), HasCode(Errc::denied));
  EXPECT_TRUE(fake_.has_manifest(kName, one_.digest));
}

TEST_F(ErrorsTest, APushToALockedTag) {
  fake_.lock(kName, "v1", true, false);
  const auto content = client().content(kName).value();
  const std::string tag = fake_.host() + "/library/hello-world:v1";
  const auto got = content.set_manifest(one_.manifest, context_, {.tag = "v1"});
  ASSERT_THAT(got, HasCode(Errc::denied));
  EXPECT_THAT(got.error().message(), StartsWith("push of manifest " + tag +
                                                ": it is locked: can_write or can_delete is "
                                                "false (HTTP 405 "
                                                "REGISTRY_DISALLOWED_OPERATION: The"));
  EXPECT_THAT(got.error().message(), EndsWith("set both to true first"));
  // Not what a registry answers that deletes nothing at all.
  const auto deleted = content.delete_manifest(Digest::parse(one_.digest).value(), context_);
  ASSERT_THAT(deleted, HasCode(Errc::denied));
  EXPECT_THAT(deleted.error().message(), HasSubstr("it is locked"));
}

TEST_F(ErrorsTest, ARegistryBehindAFirewall) {
  fake_.fault({}, fault::status(403, said("DENIED",
                                          "client with IP '1.2.3.4' is not allowed access. Refer "
                                          "https://aka.ms/acr/firewall to grant access.")));
  const auto got = repository().get_properties(context_);
  ASSERT_THAT(got, HasCode(Errc::denied));
  EXPECT_THAT(got.error().message(), HasSubstr("the registry does not allow it (HTTP 403 DENIED: "
                                               "client with IP '1.2.3.4' is not allowed access."));
}

TEST_F(ErrorsTest, StatusesThatSayEnough) {
  const struct {
    int status;
    const char* code;
    Errc expected;
  } cases[] = {
      {400, "NAME_INVALID", Errc::invalid_argument},
      {400, "DIGEST_INVALID", Errc::invalid_argument},
      {405, "UNSUPPORTED", Errc::unsupported},
      {409, "CONFLICT", Errc::conflict},
  };
  for (const auto& c : cases) {
    fake_.fault({}, fault::error(c.status, c.code));
    const auto got = repository().get_properties(context_);
    ASSERT_THAT(got, HasCode(c.expected)) << c.code;
    EXPECT_EQ(got.error().http()->registry_code, c.code);
  }
}

TEST_F(ErrorsTest, TooManyRequestsAreWaitedFor) {
  fake_.fault({.times = 2}, fault::too_many_requests("7"));
  EXPECT_THAT(repository().get_properties(context_), IsOk());
  EXPECT_THAT(clock_.sleeps(), ::testing::Each(std::chrono::seconds(7)));
  fake_.fault({.times = 0}, fault::too_many_requests(""));
  EXPECT_THAT(repository().get_properties(context_), HasCode(Errc::rate_limited));
}

TEST_F(ErrorsTest, AFailureNamesTheRequestThatTheServiceCanFind) {
  fake_.fault({.times = 0}, fault::status(500, "", {{"X-Ms-Correlation-Request-Id", "abc-1"}}));
  const auto got = repository().get_properties(context_);
  ASSERT_THAT(got, HasCode(Errc::unavailable));
  EXPECT_THAT(got.error().message(), HasSubstr("request id abc-1"));
  EXPECT_EQ(fake_.server().requests(), 4);  // as the SDK: three times again
}

TEST_F(ErrorsTest, ARegistryThatIsNone) {
  FakeRegistry plain;
  plain.add_image("a", "v1", {});
  const auto other = acr::ContainerRegistryClient::create(plain.origin(), options()).value();
  const auto deleted = other.delete_repository("a", context_, {{}, /*ignore_not_found=*/true});
  ASSERT_THAT(deleted, HasCode(Errc::unsupported));
  EXPECT_THAT(deleted.error().message(), HasSubstr("it is no Azure container registry"));
  EXPECT_TRUE(plain.repositories().contains("a"));
  EXPECT_THAT(other.list_repository_names(context_).all(), HasCode(Errc::unsupported));
}

TEST_F(ErrorsTest, WithoutALogin) {
  change([](auto& behaviour) { behaviour.auth = RegistryBehaviour::Auth::bearer; });
  const auto got = repository().get_properties(context_);
  ASSERT_THAT(got, HasCode(Errc::unauthenticated));
  EXPECT_THAT(got.error().message(), StartsWith("repository " + fake_.host() + "/library"));
}

TEST_F(ErrorsTest, ALoginThatMayOnlyRead) {
  change([](auto& behaviour) {
    behaviour.auth = RegistryBehaviour::Auth::bearer;
    behaviour.anonymous_pull = true;  // and no more than that
  });
  const auto got = repository().update_properties({.can_write = false}, context_);
  ASSERT_THAT(got, HasCode(Errc::unauthenticated));
  EXPECT_THAT(got.error().message(), HasSubstr("metadata_write"));
}

TEST_F(ErrorsTest, TimesAndDigestsThatCannotBeReadAreNothingToActUpon) {
  const std::string digest = one_.digest;
  for (const std::string& item : {
           std::string(R"({"name":"v1","digest":"sha256:00","createdTime":"2023-03-07T02:03:10Z",)"
                       R"("lastUpdateTime":"2023-03-07T02:03:10Z"})"),
           R"({"name":"v1","digest":")" + digest +
               R"(","createdTime":"2023-03-07T02:03:10Z","lastUpdateTime":"yesterday"})",
           R"({"name":"v1","digest":")" + digest + R"(","createdTime":"2023-03-07T02:03:10Z"})",
           std::string("{}"),
       }) {
    fake_.fault({}, fault::status(200, R"({"registry":"r","imageName":"a","tag":)" + item + "}"));
    const auto got = artifact("v1").get_tag_properties("v1", context_);
    ASSERT_THAT(got, HasCode(Errc::corrupt)) << item;
    EXPECT_THAT(got.error().message(), StartsWith("tag " + fake_.host()));
  }
}

TEST_F(ErrorsTest, WhateverPlatformTheServiceStatesIsShown) {
  namespace arch = acr::known_architecture;
  namespace os = acr::known_operating_system;
  const std::pair<std::string_view, const char*> architectures[] = {
      {arch::k386, "386"},         {arch::kAmd64, "amd64"},       {arch::kArm, "arm"},
      {arch::kArm64, "arm64"},     {arch::kMips, "mips"},         {arch::kMipsle, "mipsle"},
      {arch::kMips64, "mips64"},   {arch::kMips64le, "mips64le"}, {arch::kPpc64, "ppc64"},
      {arch::kPpc64le, "ppc64le"}, {arch::kRiscv64, "riscv64"},   {arch::kS390x, "s390x"},
      {arch::kWasm, "wasm"}};
  const std::pair<std::string_view, const char*> systems[] = {
      {os::kAix, "aix"},         {os::kAndroid, "android"},
      {os::kDarwin, "darwin"},   {os::kDragonFly, "dragonfly"},
      {os::kFreeBsd, "freebsd"}, {os::kIllumos, "illumos"},
      {os::kIos, "ios"},         {os::kJs, "js"},
      {os::kLinux, "linux"},     {os::kNetBsd, "netbsd"},
      {os::kOpenBsd, "openbsd"}, {os::kPlan9, "plan9"},
      {os::kSolaris, "solaris"}, {os::kWindows, "windows"}};
  for (std::size_t i = 0; i < std::size(systems); ++i) {
    const auto& architecture = architectures[i % std::size(architectures)];
    const auto made =
        fake_.add_image(kName, "platform", {}, systems[i].second, architecture.second);
    const auto shown = artifact(made.digest).get_manifest_properties(context_);
    ASSERT_THAT(shown, IsOk());
    EXPECT_EQ(shown->architecture, architecture.first);
    EXPECT_EQ(shown->operating_system, systems[i].first);
  }
}

TEST_F(ErrorsTest, WhatTheServiceIsKnownToLeaveOut) {
  const std::string item = R"({"digest":")" + one_.digest +
                           R"(","createdTime":"2023-03-07T02:03:10Z",)"
                           R"("lastUpdateTime":"2023-03-07T02:03:10Z",)";
  const auto read = [&](const std::string& rest) {
    fake_.fault({},
                fault::status(200, R"({"registry":"r","imageName":"a","manifest":)" + item + rest));
    return artifact(one_.digest).get_manifest_properties(context_);
  };
  const auto bare = read(R"("architecture":null,"os":null}})");
  ASSERT_THAT(bare, IsOk());
  EXPECT_EQ(bare->architecture, "");
  EXPECT_EQ(bare->size_in_bytes, std::nullopt);
  EXPECT_EQ(bare->can_delete, std::nullopt);
  EXPECT_TRUE(bare->tags.empty());
  const auto misspelt = read(R"("architecture":"ppc641e","tags":null,"references":null,)"
                             R"("changeableAttributes":{"readEnabled":null}}})");
  ASSERT_THAT(misspelt, IsOk());
  EXPECT_EQ(misspelt->architecture, acr::known_architecture::kPpc64le);
}

}  // namespace
}  // namespace berth::test
