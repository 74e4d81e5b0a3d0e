// SPDX-License-Identifier: Apache-2.0
// Lists the repositories of a registry in Azure China: another authority to sign in at, and the
// audience of that cloud. The other national clouds go the same way (berth/auth/cloud.hpp).
//
//     china_cloud https://myregistry.azurecr.cn
#include <iostream>
#include <memory>

#include "berth/acr/client.hpp"
#include "berth/auth/identity_chain.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

using namespace berth;

namespace {

Result<void> list(const std::string& endpoint) {
  auth::DefaultCredentialOptions identity;
  identity.identity.authority_host = "https://login.chinacloudapi.cn";
  acr::ContainerRegistryClientOptions options;
  options.token_credential = std::make_shared<auth::DefaultAzureCredential>(identity);
  // Of Azure Resource Manager. ACR's own audience, the default, is good in this cloud too.
  options.audience = acr::known_audience::kChina;
  const auto client = TRY(acr::ContainerRegistryClient::create(endpoint, std::move(options)));

  std::cout << "Repositories of " << client.name() << ":\n";
  for (Result<std::string>& item : client.list_repository_names(Context())) {
    const std::string name = TRY(std::move(item));
    std::cout << "  " << text::escape_for_terminal(name) << "\n";
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: china_cloud ENDPOINT\n";
    return 2;
  }
  if (const auto done = list(argv[1]); !done) {
    std::cerr << done.error().describe() << "\n";
    return 1;
  }
  return 0;
}
