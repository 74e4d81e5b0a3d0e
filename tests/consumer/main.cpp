// SPDX-License-Identifier: Apache-2.0
// A program that uses installed berth: parses a reference, makes an ACR client, hashes, opens a
// cache.
#include <cstdio>
#include <filesystem>

#include "berth/acr/purge.hpp"
#include "berth/cache/cache.hpp"
#include "berth/digest/hasher.hpp"
#include "berth/oci/manifest.hpp"
#include "berth/oci/reference.hpp"
#include "berth/tree/tree.hpp"

int main() {
  const auto reference = berth::oci::Reference::parse("registry.example/library/hello:v1");
  if (!reference || reference->repository != "library/hello") return 1;
  const auto acr = berth::acr::ContainerRegistryClient::create("registry.example");
  if (!acr || !berth::acr::Purge::create(*acr, {.filters = {"library/.*:^v1"}})) return 1;
  const berth::Digest digest = berth::digest_of(berth::as_bytes("hello"));
  const auto folder = std::filesystem::temp_directory_path() /
                      ("berth-consumer-" + std::string(digest.hex().substr(0, 8)));
  std::filesystem::remove_all(folder);
  {
    auto cache = berth::cache::Cache::open({.folder = folder, .limit = 16 << 20});
    if (!cache) {
      std::fprintf(stderr, "%s\n", cache.error().describe().c_str());
      return 1;
    }
    if (!(*cache)->put(digest, berth::as_bytes("hello"))) return 1;
    const auto text = (*cache)->get(digest, 100);
    if (!text || !*text || **text != "hello") return 1;
  }
  std::filesystem::remove_all(folder);
  std::printf("%s %s\n", reference->text().c_str(), digest.text().c_str());
  return 0;
}
