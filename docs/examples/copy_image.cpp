// SPDX-License-Identifier: Apache-2.0
// Copies an image, with all its platforms and what refers to it, from one registry to another, or
// within one: blobs are verified on the way, mounted where both are one registry, and those that
// are there already are not sent. Interrupted, it goes on where it stopped.
//
//     copy_image https://one.azurecr.io samples/hello demo https://two.azurecr.io copies/hello
#include <iostream>
#include <memory>

#include "berth/acr/client.hpp"
#include "berth/auth/identity_chain.hpp"
#include "berth/base/try.hpp"
#include "berth/content/copy.hpp"

using namespace berth;

namespace {

Result<std::shared_ptr<content::Source>> registry_at(const std::string& endpoint) {
  acr::ContainerRegistryClientOptions options;
  options.token_credential = std::make_shared<auth::DefaultAzureCredential>();
  return content::make_registry_source(
      TRY(acr::ContainerRegistryClient::create(endpoint, std::move(options))));
}

Result<void> copy(const std::string& endpoint, const std::string& repository,
                  const std::string& tag, const std::string& target_endpoint,
                  const std::string& target_repository) {
  const auto source = TRY(registry_at(endpoint));
  const auto target = TRY(registry_at(target_endpoint));
  // What came is kept in the cache of the berth command; any folder would do.
  const auto cache =
      TRY(cache::Cache::open({.folder = TRY(cache::default_folder(real_environment, false))}));
  content::Store store(*cache, {});
  const Context context;

  const auto image = TRY(source->head_manifest(repository, tag, context));
  content::CopyOptions how;
  how.referrers = true;
  const Digest copied = TRY(content::copy_to_registry(
      store, source, repository, image.digest, target, target_repository, tag, how, context));
  std::cout << "Copied " << copied.text() << " to " << target->name() << "/" << target_repository
            << ":" << tag << "\n";
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "usage: copy_image ENDPOINT REPOSITORY TAG TARGET-ENDPOINT TARGET-REPOSITORY\n";
    return 2;
  }
  if (const auto done = copy(argv[1], argv[2], argv[3], argv[4], argv[5]); !done) {
    std::cerr << done.error().describe() << "\n";
    return 1;
  }
  return 0;
}
