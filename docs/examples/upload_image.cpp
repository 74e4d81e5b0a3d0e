// SPDX-License-Identifier: Apache-2.0
// Uploads a file as an image of one layer: the configuration, the layer, then the manifest.
//
//     upload_image https://myregistry.azurecr.io samples/hello demo ./layer.tar.gz
#include <iostream>
#include <memory>

#include "berth/acr/content_client.hpp"
#include "berth/auth/identity_chain.hpp"
#include "berth/base/try.hpp"
#include "berth/oci/media_type.hpp"

using namespace berth;

namespace {

Result<void> upload(const std::string& endpoint, const std::string& repository,
                    const std::string& tag, const std::string& file) {
  acr::ContainerRegistryClientOptions options;
  options.token_credential = std::make_shared<auth::DefaultAzureCredential>();
  const auto client =
      TRY(acr::ContainerRegistryContentClient::create(endpoint, repository, std::move(options)));
  const Context context;

  const auto config = TRY(client.upload_blob(
      as_bytes(R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers"}})"), context));
  std::cout << "Uploaded the configuration: " << config.digest.text() << ", "
            << config.size_in_bytes << " bytes\n";
  // Streamed from the file, hashed on the way; any size.
  const auto layer = TRY(client.upload_blob_from(file, context));
  std::cout << "Uploaded the layer: " << layer.digest.text() << ", " << layer.size_in_bytes
            << " bytes\n";

  oci::Manifest manifest{
      .config = {.media_type = std::string(oci::media::kImageConfig),
                 .digest = config.digest,
                 .size = config.size_in_bytes},
      .layers = {{.media_type = "application/vnd.oci.image.layer.v1.tar+gzip",
                  .digest = layer.digest,
                  .size = layer.size_in_bytes,
                  .annotations = {{"org.opencontainers.image.title", "layer.tar.gz"}}}}};
  acr::SetManifestOptions tagged;
  tagged.tag = tag;
  const auto done = TRY(client.set_manifest(manifest, context, tagged));
  std::cout << "Uploaded the manifest: " << done.digest.text() << ", tagged " << tag << "\n";
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: upload_image ENDPOINT REPOSITORY TAG FILE\n";
    return 2;
  }
  if (const auto done = upload(argv[1], argv[2], argv[3], argv[4]); !done) {
    std::cerr << done.error().describe() << "\n";
    return 1;
  }
  return 0;
}
