// SPDX-License-Identifier: Apache-2.0
// Deletes the manifest that a tag leads to, with all tags that lead to it.
//
//     delete_manifest https://myregistry.azurecr.io samples/hello demo
#include <iostream>
#include <memory>

#include "berth/acr/content_client.hpp"
#include "berth/auth/identity_chain.hpp"
#include "berth/base/try.hpp"

using namespace berth;

namespace {

Result<void> remove(const std::string& endpoint, const std::string& repository,
                    const std::string& tag) {
  acr::ContainerRegistryClientOptions options;
  options.token_credential = std::make_shared<auth::DefaultAzureCredential>();
  const auto client =
      TRY(acr::ContainerRegistryContentClient::create(endpoint, repository, std::move(options)));
  const Context context;

  const auto got = TRY(client.get_manifest(tag, context));
  // What is not there is an error; DeleteOptions::ignore_not_found makes it none.
  TRY(client.delete_manifest(got.digest, context));
  std::cout << "Deleted the manifest " << got.digest.text() << "\n";
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: delete_manifest ENDPOINT REPOSITORY TAG\n";
    return 2;
  }
  if (const auto done = remove(argv[1], argv[2], argv[3]); !done) {
    std::cerr << done.error().describe() << "\n";
    return 1;
  }
  return 0;
}
