// SPDX-License-Identifier: Apache-2.0
// Deletes the layers of an image, and leaves its manifest: for trying out what becomes of it.
//
//     delete_blobs https://myregistry.azurecr.io samples/hello demo
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
  if (got.manifest() == nullptr) {
    return Error(Errc::unsupported, tag + " has no layers: it is " + got.media_type);
  }
  for (const oci::Descriptor& layer : got.manifest()->layers) {
    TRY(client.delete_blob(layer.digest, context));
    std::cout << "Deleted the layer " << layer.digest.text() << "\n";
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: delete_blobs ENDPOINT REPOSITORY TAG\n";
    return 2;
  }
  if (const auto done = remove(argv[1], argv[2], argv[3]); !done) {
    std::cerr << done.error().describe() << "\n";
    return 1;
  }
  return 0;
}
