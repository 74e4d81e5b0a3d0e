// SPDX-License-Identifier: Apache-2.0
// Locks a tag: nobody may move it or delete it until its properties are set back.
//
//     set_image_properties https://myregistry.azurecr.io library/hello-world latest
#include <iostream>
#include <memory>

#include "berth/acr/client.hpp"
#include "berth/auth/identity_chain.hpp"
#include "berth/base/try.hpp"

using namespace berth;

namespace {

const char* shown(const std::optional<bool>& permission) {
  return !permission ? "not stated" : *permission ? "true" : "false";
}

Result<void> lock(const std::string& endpoint, const std::string& repository,
                  const std::string& tag) {
  acr::ContainerRegistryClientOptions options;
  options.token_credential = std::make_shared<auth::DefaultAzureCredential>();
  const auto client = TRY(acr::ContainerRegistryClient::create(endpoint, std::move(options)));
  const auto image = TRY(client.artifact(repository, tag));

  acr::ChangeableProperties changes;  // what is not set stays as it is
  changes.can_write = false;
  changes.can_delete = false;
  const auto now = TRY(image.update_tag_properties(tag, changes, Context()));

  std::cout << image.fully_qualified_reference() << "\n"
            << "  can_read: " << shown(now.can_read) << "\n"
            << "  can_list: " << shown(now.can_list) << "\n"
            << "  can_write: " << shown(now.can_write) << "\n"
            << "  can_delete: " << shown(now.can_delete) << "\n";
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: set_image_properties ENDPOINT REPOSITORY TAG\n";
    return 2;
  }
  if (const auto done = lock(argv[1], argv[2], argv[3]); !done) {
    std::cerr << done.error().describe() << "\n";
    return 1;
  }
  return 0;
}
