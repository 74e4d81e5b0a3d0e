// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/azure_registry.hpp"

#include <gtest/gtest.h>

#include "berth/auth/cloud.hpp"
#include "berth/auth/identity_claims.hpp"

#include "support/jwt.hpp"

namespace berth::auth {
namespace {

Environment environment(const std::string& authority) {
  return [authority](const std::string& name) -> std::optional<std::string> {
    if (name == "AZURE_AUTHORITY_HOST" && !authority.empty()) return authority;
    return std::nullopt;
  };
}

AzureRegistry rule(const std::string& registry, const credential::Config& config = {},
                   const std::string& authority = {}) {
  return azure_registry(registry, config, environment(authority));
}

// S360
TEST(AzureRegistryTest, TheNameChoosesTheCloud) {
  for (const auto& [name, authority] :
       {std::pair{"r.azurecr.io", "https://login.microsoftonline.com"},
        std::pair{"R.azurecr.us", "https://login.microsoftonline.us"},
        std::pair{"r.azurecr.cn:443", "https://login.chinacloudapi.cn"},
        std::pair{"r.azurecr.de", "https://login.microsoftonline.de"}}) {
    EXPECT_TRUE(rule(name).is_azure) << name;
    EXPECT_EQ(rule(name).authority_host, authority) << name;
    EXPECT_EQ(rule(name).audience, kRegistryAudience) << name;
    EXPECT_EQ(rule(name, {}, "https://login.mine.example").authority_host, "")
        << "the environment's comes first";
  }
  EXPECT_FALSE(rule("ghcr.io").is_azure);
}

// S360
TEST(AzureRegistryTest, TheConfigurationSaysTheRest) {
  credential::Config config;
  config.registries["acr.corp.example"].acr = true;
  config.registries["acr.corp.example"].audience = "https://audience.example";
  config.registries["old.azurecr.io"].acr = false;
  config.credential.routes.push_back(*credential::parse_route("named.example", "entra"));
  EXPECT_TRUE(rule("ACR.corp.example", config).is_azure);
  EXPECT_EQ(rule("acr.corp.example", config).audience, "https://audience.example");
  EXPECT_EQ(rule("acr.corp.example", config).authority_host, clouds().front().authority_host);
  EXPECT_FALSE(rule("old.azurecr.io", config).is_azure);
  EXPECT_TRUE(rule("named.example", config).is_azure);
  EXPECT_FALSE(rule("other.example", config).is_azure);
}

IdentityClaims claims_in(const std::string& token) {
  return claims_of(AccessToken{.token = Secret(token), .expires_on = {}, .refresh_on = {}});
}

TEST(AzureRegistryTest, ATokenSaysWhoseItIs) {
  const IdentityClaims person = claims_in(test::unsigned_jwt(
      {{"tid", "contoso"}, {"oid", "1"}, {"upn", "a@contoso.com"}, {"appid", "az"}}));
  EXPECT_EQ(person.tenant_id, "contoso");
  EXPECT_EQ(person.object_id, "1");
  EXPECT_EQ(person.account, "a@contoso.com");
  EXPECT_EQ(claims_in(test::unsigned_jwt({{"azp", "app"}})).account, "app");
  EXPECT_EQ(claims_in("opaque").tenant_id, "");
}

}  // namespace
}  // namespace berth::auth
