// SPDX-License-Identifier: Apache-2.0
#include "provider.hpp"

#include <chrono>

#include "support/jwt.hpp"
#include "unit/helper/helper_fixture.hpp"

namespace berth::helper {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ProviderTest : public ::testing::Test {
 protected:
  ProviderTest() { config("[credential]\nstore = \"file\"\n"); }

  void config(const std::string& toml) const {
    home.folder.write("home/.config/berth/config.toml", toml);
  }
  Said run(const std::string& input, const std::vector<std::string>& arguments = {}) const {
    return run_with_input(input, [&](const Streams& streams) {
      return run_provider(arguments, streams, home.environment(), berth, Context());
    });
  }
  static std::string request(const std::string& image, const std::string& more = "") {
    return R"({"kind":"CredentialProviderRequest",)"
           R"("apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":")" +
           image + "\"" + more + "}";
  }
  void fake_berth(const std::string& body) {
    const auto path = home.folder.write("bin/berth", "#!/bin/sh\n" + body + "\n");
    ::chmod(path.c_str(), 0755);
    berth = path.string();
  }
  static std::string token(const std::string& value, std::chrono::seconds life) {
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
    return "echo '{\"token\":\"" + value + "\",\"issued\":" + std::to_string(now) +
           ",\"expires\":" + std::to_string(now + life.count() * 1000) + "}'";
  }
  static std::string workload(const std::string& client, const std::string& jwt) {
    return R"(,"serviceAccountToken":")" + jwt +
           R"(","serviceAccountAnnotations":{"kubernetes.azure.com/acr-client-id":")" + client +
           R"(","kubernetes.azure.com/acr-tenant-id":"t1"})";
  }

  static std::string account_token(const std::string& subject,
                                   const std::string& issuer = "https://cluster") {
    return test::unsigned_jwt(
        {{"iss", issuer}, {"sub", subject}, {"aud", {"api://AzureADTokenExchange"}}});
  }

  credential::Home home;
  std::string berth;
};

TEST_F(ProviderTest, S256_AnswersForTheRegistryAtMostAnHour) {
  fake_berth(token("T", std::chrono::hours(3)));
  const Said said = run(request("my.azurecr.io/foo/bar:v1"));
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(said.out,
            "{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"credentialprovider.kubelet."
            "k8s.io/v1\",\"cacheKeyType\":\"Registry\",\"cacheDuration\":\"1h0m0s\",\"auth\":{\"my."
            "azurecr.io\":{\"username\":\"00000000-0000-0000-0000-000000000000\",\"password\":"
            "\"T\"}}}\n");
  EXPECT_EQ(said.err, "");
}

TEST_F(ProviderTest, S256_AShortLifeIsCachedShorterByAMarginAndNeverLessThanNothing) {
  fake_berth(token("T", std::chrono::minutes(15)));
  EXPECT_THAT(run(request("a.azurecr.io/x")).out, HasSubstr("\"cacheDuration\":\"0h9m59s\""));
  fake_berth(token("T", std::chrono::minutes(2)));
  EXPECT_THAT(run(request("b.azurecr.io/x")).out, HasSubstr("\"cacheDuration\":\"0h0m0s\""));
}

TEST_F(ProviderTest, S256_WithoutACredentialTheAnswerIsEmptyAndNotCached) {
  fake_berth("exit 3");
  for (const char* image : {"my.azurecr.io/x:1", "busybox", "quay.io/a/b@sha256:00", "a/b"}) {
    const Said said = run(request(image));
    EXPECT_EQ(said.status, 0) << image;
    EXPECT_THAT(said.out, HasSubstr("\"cacheDuration\":\"0h0m0s\",\"auth\":{}}")) << image;
  }
}

TEST_F(ProviderTest, OtherRegistriesAreAnsweredFromTheStoreByTheirHost) {
  config("[credential.routes]\n\"*\" = \"helper:other\"\n");
  home.helper("other", R"(echo "{\"Username\":\"u\",\"Secret\":\"for $url\"}")");
  EXPECT_THAT(
      run(request("h.example:5000/a/b:v1")).out,
      HasSubstr(R"("auth":{"h.example:5000":{"username":"u","password":"for h.example:5000"}}})"));
  EXPECT_THAT(run(request("busybox:latest")).out, HasSubstr("\"docker.io\":{"));
  EXPECT_THAT(run(request("localhost:5000/x@sha256:ab")).out, HasSubstr("\"localhost:5000\":{"));
  home.helper("other", R"(echo '{"Username":"<token>","Secret":"R"}')");
  const Said said = run(request("h.example/x"));
  EXPECT_EQ(said.status, 1);
  EXPECT_EQ(said.out, "");
  EXPECT_THAT(said.err, HasSubstr("identity token"));
}

TEST_F(ProviderTest, S257_AServiceAccountsTokenGoesByStandardInputAloneAndIsItsOwn) {
  const std::string seen = (home.folder / "seen").string();
  fake_berth("cat > " + seen + "; echo \"$@\" >> " + seen + ".argv; env > " + seen + ".env; " +
             token("T1", std::chrono::hours(3)));
  const std::string one = account_token("one");
  EXPECT_THAT(run(request("my.azurecr.io/x", workload("c1", one))).out, HasSubstr("\"T1\""));
  EXPECT_EQ(home.read("seen"), R"({"client_id":"c1","tenant_id":"t1","token":")" + one + "\"}");
  EXPECT_EQ(home.read("seen.argv"), "token --helper my.azurecr.io --workload-stdin\n");
  EXPECT_THAT(home.read("seen.env"), Not(HasSubstr(one)));
  fake_berth(token("T2", std::chrono::hours(3)));
  EXPECT_THAT(run(request("my.azurecr.io/x", workload("c2", account_token("two")))).out,
              HasSubstr("\"T2\""));
  EXPECT_THAT(run(request("my.azurecr.io/x", workload("c1", one))).out, HasSubstr("\"T1\""));
}

TEST_F(ProviderTest, S300_AnnotationsAloneGiveNobodyAnothersToken) {
  fake_berth(token("T1", std::chrono::hours(3)));
  const std::string victim = account_token("system:serviceaccount:shop:web");
  EXPECT_THAT(run(request("my.azurecr.io/x", workload("c1", victim))).out, HasSubstr("\"T1\""));
  fake_berth("echo 'berth: the authority refuses it' >&2; exit 1");
  EXPECT_THAT(run(request("my.azurecr.io/x", workload("c1", victim))).out, HasSubstr("\"T1\""));
  const std::string others[] = {account_token("system:serviceaccount:evil:web"),
                                account_token("system:serviceaccount:shop:web", "https://evil"),
                                test::unsigned_jwt({{"iss", "https://cluster"}}), "rubbish",
                                "a.b.c"};
  for (const std::string& other : others) {
    const Said said = run(request("my.azurecr.io/x", workload("c1", other)));
    EXPECT_EQ(said.status, 1) << other;
    EXPECT_EQ(said.out, "") << other;
    EXPECT_THAT(said.err, HasSubstr("the authority refuses it")) << other;
  }
  // An annotation cannot pretend to be the rest of the identity.
  const Said said = run(request("my.azurecr.io/x", workload(R"(c1\",\"https://cluster)", victim)));
  EXPECT_EQ(said.status, 1);
}

TEST_F(ProviderTest, S300_WhatATokenThatCannotBeReadGotIsKeptForNobody) {
  const std::string asked = (home.folder / "asked").string();
  fake_berth("echo x >> " + asked + "; " + token("T1", std::chrono::hours(3)));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(run(request("my.azurecr.io/x", workload("c1", "opaque"))).out, HasSubstr("T1"));
  }
  EXPECT_EQ(home.read("asked"), "x\nx\n");
}

TEST_F(ProviderTest, AnAccountWithoutAnnotationsPullsFromWhereverNoneAreNeeded) {
  const std::string bare = R"(,"serviceAccountToken":")" + account_token("one") + "\"";
  for (const char* image : {"busybox", "quay.io/a/b"}) {
    const Said said = run(request(image, bare));
    EXPECT_EQ(said.status, 0) << said.err;
    EXPECT_THAT(said.out, HasSubstr("\"auth\":{}}")) << image;
  }
  EXPECT_THAT(run(request("my.azurecr.io/x", bare)).err, HasSubstr("lacks the annotation"));
}

TEST_F(ProviderTest, RequestsThatItCannotServeAreSaidOnTheErrorStream) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "is not a JSON object"},
      {"rubbish", "is not a JSON object"},
      {R"({"kind":"Other"})", "not of the kind CredentialProviderRequest"},
      {R"({"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1beta1"})",
       "only credentialprovider.kubelet.k8s.io/v1 is served"},
      {request(""), "names no image"},
      {request("my.azurecr.io/x\\u0001"), "control characters"},
      {request("my.azurecr.io/x", R"(,"serviceAccountToken":"eyJ")"), "lacks the annotation"}};
  for (const auto& [input, words] : cases) {
    const Said said = run(input);
    EXPECT_EQ(said.status, 1) << input;
    EXPECT_EQ(said.out, "") << input;
    EXPECT_THAT(said.err, HasSubstr(words)) << input;
    EXPECT_THAT(said.err, Not(HasSubstr("eyJ"))) << input;
  }
  EXPECT_EQ(run("", {"azure.json"}).status, 1);
  EXPECT_THAT(run("", {"--version"}).out, ::testing::StartsWith("berth-credential-provider v"));
}

TEST_F(ProviderTest, AnIdentityThatFailsIsSaidToTheKubeletsLog) {
  fake_berth("echo 'berth: the authority is away' >&2; exit 1");
  const Said said = run(request("my.azurecr.io/x"));
  EXPECT_EQ(said.status, 1);
  EXPECT_EQ(said.err, "berth-credential-provider: the authority is away\n");
}

}  // namespace
}  // namespace berth::helper
