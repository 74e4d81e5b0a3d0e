// SPDX-License-Identifier: Apache-2.0
#include <map>

#include <gmock/gmock.h>

#include "berth/content/hub.hpp"

#include "support/fake_authority.hpp"
#include "support/fake_identity_host.hpp"
#include "support/fake_registry.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace berth::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Who the command and the mount are to an Azure container registry: the configuration says that
/// the fake is one.
class HubIdentityTest : public ::testing::Test {
 protected:
  HubIdentityTest() {
    fake_.add_image("a", "v1", {"layer"});
    fake_.change([](auto& behaviour) {
      behaviour.auth = RegistryBehaviour::Auth::bearer;
      behaviour.entra_tokens = {"az-token", FakeIdentityHost::kToken};
    });
    nobody_.server().stop();
    variables_ = {{"HOME", folder_.path().native()},
                  {"PATH", (folder_ / "bin").native()},
                  {"XDG_RUNTIME_DIR", (folder_ / "run").native()},
                  {"AZURE_AUTHORITY_HOST", authority_.origin()},
                  {"AZURE_POD_IDENTITY_AUTHORITY_HOST", nobody_.origin()}};
  }

  void configure(const std::string& more = "acr = true\n") {
    variables_["BERTH_CONFIG"] =
        folder_
            .write("config.toml", "[registry.\"" + fake_.host() + "\"]\nplain_http = true\n" + more)
            .native();
  }
  void log_in_to_az() const {
    const auto path = folder_.write(
        "bin/az", "#!/bin/sh\necho run >> '" + (folder_ / "runs").native() + "'\necho \"$@\" > '" +
                      (folder_ / "arguments").native() +
                      "'\necho '{\"accessToken\":\"az-token\",\"expires_on\":4000000000}'\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  Result<registry::Page> tags() { return tags_of(fake_.host(), *transport_); }
  Result<registry::Page> tags_of(const std::string& registry, http::Transport& transport) {
    content::HubOptions options;
    options.environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      return found == variables_.end() ? std::nullopt : std::optional(found->second);
    };
    options.transport = &transport;
    options.retry.attempts = 1;
    auto hub = content::Hub::open(std::move(options));
    if (!hub) return std::move(hub).error();
    auto source = (*hub)->source(registry);
    if (!source) return std::move(source).error();
    return (*source)->list_tags("a", "", Context().with_timeout(std::chrono::seconds(20)));
  }
  int exchanges() { return fake_.server().count("POST", "/oauth2/exchange*"); }

  TempDir folder_;
  FakeRegistry fake_{{.acr = true}};
  FakeAuthority authority_;
  FakeIdentityHost nobody_{FakeIdentityHost::Kind::imds};
  std::map<std::string, std::string> variables_;
  std::unique_ptr<http::Transport> transport_ =
      http::make_curl_transport({.use_proxy_environment = false});
};

TEST_F(HubIdentityTest, WhoeverIsLoggedInToAzReadsAPrivateRegistry) {
  configure();
  log_in_to_az();
  EXPECT_THAT(tags(), IsOk());
  EXPECT_EQ(exchanges(), 1);
  // Another process finds the tokens in the folder.
  EXPECT_THAT(tags(), IsOk());
  EXPECT_EQ(exchanges(), 1);
  EXPECT_EQ(std::filesystem::file_size(folder_ / "runs"), 4U);
}

TEST_F(HubIdentityTest, TheAudienceIsTheConfigurations) {
  configure("acr = true\naudience = \"https://management.chinacloudapi.cn\"\n");
  log_in_to_az();
  EXPECT_THAT(tags(), IsOk());
  EXPECT_THAT(read_file(folder_ / "arguments", 1000),
              IsOkAndHolds(HasSubstr("--resource https://management.chinacloudapi.cn")));
}

TEST_F(HubIdentityTest, APublicRegistryIsReadAsNobody) {
  configure();
  log_in_to_az();
  fake_.change([](auto& behaviour) { behaviour.anonymous_pull = true; });
  EXPECT_THAT(tags(), IsOk());
  EXPECT_EQ(exchanges(), 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "runs"));
}

TEST_F(HubIdentityTest, ARegistryThatIsNotAzuresAsksNoIdentity) {
  configure("");
  log_in_to_az();
  EXPECT_THAT(tags(), HasCode(Errc::unauthenticated));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "runs"));
}

TEST_F(HubIdentityTest, AFilesCredentialComesFirst) {
  configure();
  log_in_to_az();
  folder_.write(".docker/config.json",
                R"({"auths":{")" + fake_.host() + R"(":{"auth":"YWxpY2U6d29uZGVy"}}})");
  EXPECT_THAT(tags(), IsOk());
  folder_.write(".docker/config.json",
                R"({"auths":{")" + fake_.host() + R"(":{"auth":"YWxpY2U6d3Jvbmc="}}})");
  variables_.erase("XDG_RUNTIME_DIR");
  EXPECT_THAT(tags(), HasCode(Errc::unauthenticated));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "runs"));
}

TEST_F(HubIdentityTest, AHelperThatFailsIsAnErrorAndNoReasonToAskSomebodyElse) {
  configure();
  log_in_to_az();
  const auto helper = folder_.write("bin/docker-credential-broken",
                                    "#!/bin/sh\necho the keyring is locked; exit 1\n");
  std::filesystem::permissions(helper, std::filesystem::perms::owner_all);
  folder_.write(".docker/config.json", R"({"credsStore":"broken"})");
  const auto refused = tags();
  ASSERT_THAT(refused, HasCode(Errc::unauthenticated));
  EXPECT_THAT(refused.error().describe(), HasSubstr("the keyring is locked"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "runs"));
}

TEST_F(HubIdentityTest, NoIdentityAtAllNamesEachWithItsReason) {
  configure();
  const auto refused = tags();
  ASSERT_THAT(refused, HasCode(Errc::unauthenticated));
  EXPECT_THAT(refused.error().message(),
              AllOf(HasSubstr("asks for a login for repository:a:pull"), HasSubstr("`az login`"),
                    HasSubstr("config.json (no such file)"), HasSubstr("Microsoft Entra ID ("),
                    HasSubstr("EnvironmentCredential: not set: AZURE_TENANT_ID"),
                    HasSubstr("AzureCliCredential: az is not installed"),
                    HasSubstr("ManagedIdentityCredential: IMDS: nobody answers")));
}

TEST_F(HubIdentityTest, AWrongSecretOfTheEnvironmentIsSaid) {
  configure();
  log_in_to_az();
  authority_.add_secret("app", "right");
  variables_["AZURE_TENANT_ID"] = "contoso";
  variables_["AZURE_CLIENT_ID"] = "app";
  variables_["AZURE_CLIENT_SECRET"] = "wrong";
  const auto refused = tags();
  ASSERT_THAT(refused, HasCode(Errc::unauthenticated));
  EXPECT_THAT(refused.error().describe(), HasSubstr("AADSTS7000215"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "runs"));
}

/// A network that asks for a login everywhere, and writes down who was asked.
class RefusingTransport final : public http::Transport {
 public:
  Result<http::Response> send(const http::Request& request, const Context&) override {
    asked.push_back(request.method + " " + request.url.redacted());
    http::Response response;
    response.status = 401;
    response.url = request.url;
    response.headers.add("WWW-Authenticate", R"(Bearer realm="https://elsewhere.example/token",)"
                                             R"(service="r",scope="repository:a:pull")");
    response.body = http::make_string_body("");
    return response;
  }
  std::vector<std::string> asked;
};

TEST_F(HubIdentityTest, EachCloudHasItsAuthority) {
  variables_.erase("AZURE_AUTHORITY_HOST");
  variables_["AZURE_TENANT_ID"] = "contoso";
  variables_["AZURE_CLIENT_ID"] = "app";
  variables_["AZURE_CLIENT_SECRET"] = "secret";
  for (const auto& [registry, authority] :
       {std::pair{"r.azurecr.io", "https://login.microsoftonline.com"},
        std::pair{"r.azurecr.us", "https://login.microsoftonline.us"},
        std::pair{"r.azurecr.cn", "https://login.chinacloudapi.cn"}}) {
    RefusingTransport transport;
    EXPECT_THAT(tags_of(registry, transport), HasCode(Errc::unauthenticated));
    EXPECT_THAT(transport.asked,
                ::testing::ElementsAre(
                    ::testing::StartsWith("GET https://" + std::string(registry) + "/v2/a/tags"),
                    "GET https://" + std::string(registry) + "/oauth2/token",
                    "POST " + std::string(authority) + "/contoso/oauth2/v2.0/token"));
  }
}

TEST_F(HubIdentityTest, AMachinesIdentity) {
  configure();
  FakeIdentityHost machine(FakeIdentityHost::Kind::imds);
  variables_["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = machine.origin();
  EXPECT_THAT(tags(), IsOk());
  EXPECT_EQ(exchanges(), 1);
}

}  // namespace
}  // namespace berth::test
