// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "berth/oci/media_type.hpp"

#include "unit/content/fake_source.hpp"

namespace berth::test {

struct Part {
  std::string media_type;
  Digest digest;
  std::uint64_t size;
  std::string more{};  ///< further members: `,"platform":{...}`

  std::string json() const {
    return R"({"mediaType":")" + media_type + R"(","digest":")" + digest.text() + R"(","size":)" +
           std::to_string(size) + more + "}";
  }
};

inline std::string join(const std::vector<Part>& parts) {
  std::string text;
  for (const Part& part : parts) text += (text.empty() ? "" : ",") + part.json();
  return text;
}

inline std::string image_json(const Part& config, const std::vector<Part>& layers,
                              const std::string& more = {}) {
  return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)" +
         config.json() + R"(,"layers":[)" + join(layers) + "]" + more + "}";
}

inline std::string index_json(const std::vector<Part>& manifests) {
  return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)" +
         join(manifests) + "]}";
}

inline std::string ref_name(const std::string& name) {
  return R"(,"annotations":{"org.opencontainers.image.ref.name":")" + name + R"("})";
}

/// An image of a config and layers, pushed to a fake registry.
struct Image {
  Part manifest;
  std::vector<std::string> layers;
  std::vector<Digest> digests;  ///< of everything below the manifest
};

inline Image push_image(FakeSource& source, const std::vector<std::size_t>& sizes,
                        std::uint64_t seed = 1, const std::string& more = {}) {
  const std::string config = R"({"seed":)" + std::to_string(seed) + "}";
  const Part config_part{std::string(oci::media::kImageConfig), source.add(config), config.size()};
  std::vector<Part> parts;
  std::vector<std::string> layers;
  std::vector<Digest> digests{config_part.digest};
  for (const std::size_t size : sizes) {
    layers.push_back(sample_bytes(size, seed * 100 + parts.size() + 1));
    parts.push_back({"application/vnd.oci.image.layer.v1.tar", source.add(layers.back()), size});
    digests.push_back(parts.back().digest);
  }
  const std::string json = image_json(config_part, parts, more);
  const std::string type(oci::media::kImageManifest);
  return {{type, source.add_manifest(json, type), json.size()}, layers, digests};
}

}  // namespace berth::test
