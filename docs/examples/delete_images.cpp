// SPDX-License-Identifier: Apache-2.0
// Deletes all images of a repository but the newest three, with their tags. For more than this
// (by age, by names, by what is untagged, with a plan beforehand) see berth/acr/purge.hpp.
//
//     delete_images https://myregistry.azurecr.io library/hello-world
#include <iostream>
#include <memory>
#include <vector>

#include "berth/acr/client.hpp"
#include "berth/auth/identity_chain.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

using namespace berth;

namespace {

constexpr std::size_t kKept = 3;

Result<void> prune(const std::string& endpoint, const std::string& name) {
  acr::ContainerRegistryClientOptions options;
  options.token_credential = std::make_shared<auth::DefaultAzureCredential>();
  const auto client = TRY(acr::ContainerRegistryClient::create(endpoint, std::move(options)));
  const auto repository = TRY(client.repository(name));
  const Context context;

  // The whole list before anything goes: a list cannot be walked while it shrinks.
  acr::ListManifestsOptions newest_first;
  newest_first.order = acr::ArtifactManifestOrder::last_updated_on_descending;
  auto images = TRY(repository.list_manifest_properties(context, newest_first).all());
  // An image is what a tag leads to: the platforms of an index, and signatures, bear no tag and go
  // or stay with what needs them (`berth purge --untagged` finds those that nothing needs).
  std::erase_if(images, [](const auto& manifest) { return manifest.tags.empty(); });

  for (std::size_t i = kKept; i < images.size(); ++i) {
    std::cout << "Deleting the image " << images[i].digest.text() << "\n";
    for (const auto& tag : images[i].tags) {
      std::cout << "  with its tag " << name << ":" << text::escape_for_terminal(tag) << "\n";
    }
    // A manifest takes its tags with it.
    TRY(TRY(repository.artifact(images[i].digest.text())).remove(context));
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: delete_images ENDPOINT REPOSITORY\n";
    return 2;
  }
  if (const auto done = prune(argv[1], argv[2]); !done) {
    std::cerr << done.error().describe() << "\n";
    return 1;
  }
  return 0;
}
