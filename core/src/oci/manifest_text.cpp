// SPDX-License-Identifier: Apache-2.0
#include "berth/oci/layout.hpp"
#include "berth/oci/manifest.hpp"
#include "berth/oci/media_type.hpp"

#include "oci/descriptor.hpp"

namespace berth::oci {
namespace {

json::Node begin(std::string_view media_type, const std::string& artifact_type) {
  json::Node node = json::Node::object();
  node.set("schemaVersion", 2);
  node.set("mediaType", media_type);
  if (!artifact_type.empty()) node.set("artifactType", artifact_type);
  return node;
}

json::Node write_all(const std::vector<Descriptor>& descriptors) {
  json::Node list = json::Node::array();
  for (const Descriptor& descriptor : descriptors) list.push_back(write_descriptor(descriptor));
  return list;
}

void end(json::Node& node, const std::optional<Descriptor>& subject,
         const Annotations& annotations) {
  if (subject) node.set("subject", write_descriptor(*subject));
  if (!annotations.empty()) node.set("annotations", write_annotations(annotations));
}

}  // namespace

std::string write_manifest(const Manifest& manifest, std::string_view media_type) {
  json::Node node = begin(media_type, manifest.artifact_type);
  node.set("config", write_descriptor(manifest.config));
  node.set("layers", write_all(manifest.layers));
  end(node, manifest.subject, manifest.annotations);
  return node.to_text();
}

std::string write_index(const Index& index, std::string_view media_type) {
  json::Node node = begin(media_type, index.artifact_type);
  node.set("manifests", write_all(index.manifests));
  end(node, index.subject, index.annotations);
  return node.to_text();
}

std::string write_index(const std::vector<Descriptor>& manifests) {
  Index index;
  index.manifests = manifests;
  return write_index(index, media::kImageIndex);
}

}  // namespace berth::oci
