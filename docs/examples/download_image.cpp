// SPDX-License-Identifier: Apache-2.0
// Downloads an image into a folder: manifest.json, config.json, and each layer under its digest.
// Every file is complete and has the digest that was promised, or is not there.
//
//     download_image https://myregistry.azurecr.io samples/hello demo ./image
#include <filesystem>
#include <iostream>
#include <memory>

#include "berth/acr/content_client.hpp"
#include "berth/auth/identity_chain.hpp"
#include "berth/base/atomic_file.hpp"
#include "berth/base/try.hpp"

using namespace berth;

namespace {

Result<void> download(const std::string& endpoint, const std::string& repository,
                      const std::string& tag, const std::filesystem::path& folder) {
  acr::ContainerRegistryClientOptions options;
  options.token_credential = std::make_shared<auth::DefaultAzureCredential>();
  const auto client =
      TRY(acr::ContainerRegistryContentClient::create(endpoint, repository, std::move(options)));
  const Context context;

  const auto got = TRY(client.get_manifest(tag, context));
  std::cout << "Downloaded the manifest " << got.digest.text() << ": " << got.media_type << "\n";
  AtomicFile file = TRY(AtomicFile::create(folder / "manifest.json", 0644));
  TRY(file.write(as_bytes(got.content)));  // the exact bytes, of whatever media type
  TRY(file.commit());

  const oci::Manifest* manifest = got.manifest();
  if (manifest == nullptr) {
    return Error(Errc::unsupported, tag + " is no image of one platform: it is " + got.media_type);
  }
  TRY(client.download_blob_to(manifest->config.digest, folder / "config.json", context));
  std::cout << "Downloaded the configuration " << manifest->config.digest.text() << "\n";
  for (const oci::Descriptor& layer : manifest->layers) {
    const auto size = TRY(
        client.download_blob_to(layer.digest, folder / std::string(layer.digest.hex()), context));
    std::cout << "Downloaded the layer " << layer.digest.text() << ": " << size << " bytes\n";
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: download_image ENDPOINT REPOSITORY TAG FOLDER\n";
    return 2;
  }
  std::error_code ignored;  // what cannot be written says so below
  std::filesystem::create_directories(argv[4], ignored);
  if (const auto done = download(argv[1], argv[2], argv[3], argv[4]); !done) {
    std::cerr << done.error().describe() << "\n";
    return 1;
  }
  return 0;
}
