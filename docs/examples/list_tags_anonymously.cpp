// SPDX-License-Identifier: Apache-2.0
// Lists the tags that lead to an image, without any login: the registry must allow anonymous pulls.
//
//     list_tags_anonymously https://myregistry.azurecr.io library/hello-world latest
#include <iostream>

#include "berth/acr/client.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

using namespace berth;

namespace {

Result<void> list(const std::string& endpoint, const std::string& repository,
                  const std::string& tag_or_digest) {
  // No credential is anonymous access, whatever the machine is logged in to.
  const auto client = TRY(acr::ContainerRegistryClient::create(endpoint));
  const auto image = TRY(client.artifact(repository, tag_or_digest));
  const Context context;

  std::cout << image.fully_qualified_reference() << " has the following aliases:\n";
  // Of this image alone. All tags of the repository: ContainerRepository::list_tag_properties.
  for (auto& item : image.list_tag_properties(context)) {
    const acr::ArtifactTagProperties tag = TRY(std::move(item));
    std::cout << "    " << text::escape_for_terminal(tag.registry_login_server) << "/"
              << tag.repository_name << ":" << text::escape_for_terminal(tag.name) << "\n";
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: list_tags_anonymously ENDPOINT REPOSITORY TAG-OR-DIGEST\n";
    return 2;
  }
  if (const auto done = list(argv[1], argv[2], argv[3]); !done) {
    std::cerr << done.error().describe() << "\n";
    return 1;
  }
  return 0;
}
