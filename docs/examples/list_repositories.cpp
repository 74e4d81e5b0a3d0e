// SPDX-License-Identifier: Apache-2.0
// Lists the repositories of a registry: by item, and by page.
//
//     list_repositories https://myregistry.azurecr.io
#include <iostream>
#include <memory>

#include "berth/acr/client.hpp"
#include "berth/auth/identity_chain.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

using namespace berth;

namespace {

Result<void> list(const std::string& endpoint) {
  // Whoever one is here: the environment, a managed identity, az, pwsh, azd.
  acr::ContainerRegistryClientOptions options;
  options.token_credential = std::make_shared<auth::DefaultAzureCredential>();
  const auto client = TRY(acr::ContainerRegistryClient::create(endpoint, std::move(options)));
  const Context context;  // no deadline; see Context::with_timeout

  std::cout << "Repositories of " << client.name() << ":\n";
  for (Result<std::string>& item : client.list_repository_names(context)) {
    const std::string name = TRY(std::move(item));
    std::cout << "  " << text::escape_for_terminal(name) << "\n";
  }

  std::cout << "The same, two in a page:\n";
  int number = 0;
  for (auto& item : client.list_repository_names(context, {{}, 2, {}}).by_page()) {
    const acr::Page<std::string> page = TRY(std::move(item));
    std::cout << "  page " << ++number << "\n";
    for (const auto& name : page.items) {
      std::cout << "    " << text::escape_for_terminal(name) << "\n";
    }
    // page.continuation_token goes on from here, in another process too:
    // client.list_repository_names(context, {.continuation_token = ...})
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: list_repositories ENDPOINT\n";
    return 2;
  }
  if (const auto done = list(argv[1]); !done) {
    std::cerr << done.error().describe() << "\n";
    return 1;
  }
  return 0;
}
