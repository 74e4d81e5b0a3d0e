// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/azure_registry.hpp"

#include "berth/auth/cloud.hpp"
#include "berth/credential/routes.hpp"
#include "berth/credential/server_key.hpp"

#include "credential/config_entry.hpp"

namespace berth::auth {
namespace {

bool is_routed_to_entra(const std::string& registry, const credential::Config& config) {
  const auto key = credential::parse_server_key(registry);
  return key && credential::route_for(config.credential, *key).kind == credential::RouteKind::entra;
}

}  // namespace

AzureRegistry azure_registry(const std::string& registry, const credential::Config& config,
                             const Environment& environment) {
  const Cloud* cloud = cloud_of_registry(registry);
  const credential::RegistryConfig said = credential::config_entry(config, registry);
  AzureRegistry azure;
  azure.is_azure = said.acr.value_or(cloud != nullptr || is_routed_to_entra(registry, config));
  azure.audience = said.audience.empty() ? std::string(kRegistryAudience) : said.audience;
  if (!environment("AZURE_AUTHORITY_HOST")) {
    azure.authority_host = (cloud == nullptr ? clouds().front() : *cloud).authority_host;
  }
  return azure;
}

}  // namespace berth::auth
