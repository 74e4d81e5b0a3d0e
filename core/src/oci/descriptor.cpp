// SPDX-License-Identifier: Apache-2.0
#include "oci/descriptor.hpp"

#include <algorithm>
#include <limits>

#include "berth/base/try.hpp"
#include "berth/oci/media_type.hpp"

namespace berth::oci {
namespace {

using json::Value;

/// With the member's name put before what is wrong with it.
template <class T>
Result<T> named(std::string_view key, Result<T> result) {
  if (result) return result;
  return std::move(result).error().with_context(key);
}

Error missing(std::string_view key) {
  return Error(Errc::corrupt, std::string(key) + " is missing");
}

/// A type with parameters is no restricted name, but is what people push ("text/plain;
/// charset=utf-8"): one odd layer is no reason to refuse a whole artifact.
Result<std::string> read_media_type(const Value& object) {
  std::string type = TRY(object.string_or_empty("mediaType"));
  if (type.empty()) return missing("mediaType");
  const bool printable = std::ranges::all_of(type, [](char c) { return c >= ' ' && c <= '~'; });
  if (!printable || !is_media_type(without_parameters(type))) {
    return Error(Errc::corrupt, "mediaType: '" + type.substr(0, 255) + "' is not a media type");
  }
  return type;
}

Result<Digest> read_digest(const Value& object) {
  const std::string text = TRY(object.string_or_empty("digest"));
  if (text.empty()) return missing("digest");
  Result<Digest> digest = Digest::parse(text);
  if (digest) return digest;
  const Errc code = digest.error().code() == Errc::unsupported ? Errc::unsupported : Errc::corrupt;
  return Error(code, "digest: " + digest.error().message());
}

Result<std::uint64_t> read_size(const Value& object) {
  const std::optional<Value> member = object.find("size");
  if (!member) return missing("size");
  const std::uint64_t size = TRY(named("size", member->as_unsigned()));
  if (size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return Error(Errc::corrupt,
                 "size: " + std::to_string(size) + " is more than any file can have");
  }
  return size;
}

Result<std::vector<std::string>> read_urls(const Value& object) {
  std::vector<std::string> urls;
  const std::optional<Value> member = object.find("urls");
  if (!member) return urls;
  for (const Value& url : TRY(named("urls", member->as_array()))) {
    urls.emplace_back(TRY(named("urls", url.as_string())));
  }
  return urls;
}

Result<std::optional<Platform>> read_platform(const Value& object) {
  const std::optional<Value> member = object.find("platform");
  if (!member) return std::optional<Platform>();
  if (member->type() != json::Type::object) {
    return Error(Errc::corrupt, "platform: an object was expected");
  }
  Platform platform;
  platform.os = TRY(member->string_or_empty("os"));
  platform.architecture = TRY(member->string_or_empty("architecture"));
  platform.variant = TRY(member->string_or_empty("variant"));
  platform.os_version = TRY(member->string_or_empty("os.version"));
  // Go's encoders write {} for a platform that nobody set.
  if (platform == Platform{}) return std::optional<Platform>();
  return std::optional(std::move(platform));
}

json::Node write_platform(const Platform& platform) {
  json::Node node = json::Node::object();
  node.set("architecture", platform.architecture);
  node.set("os", platform.os);
  if (!platform.os_version.empty()) node.set("os.version", platform.os_version);
  if (!platform.variant.empty()) node.set("variant", platform.variant);
  return node;
}

}  // namespace

Result<Annotations> read_annotations(const Value& object) {
  Annotations annotations;
  const std::optional<Value> member = object.find("annotations");
  if (!member) return annotations;
  for (const auto& [key, value] : TRY(named("annotations", member->as_object()))) {
    std::string_view text;  // Go reads null as an empty string
    const std::string place = "annotations['" + std::string(key.substr(0, 128)) + "']";
    if (!value.is_null()) text = TRY(named(place, value.as_string()));
    annotations.emplace_back(key, text);
  }
  return annotations;
}

Result<Descriptor> read_descriptor(const Value& value) {
  if (value.type() != json::Type::object) return Error(Errc::corrupt, "an object was expected");
  std::string media_type = TRY(read_media_type(value));
  Digest digest = TRY(read_digest(value));
  const std::uint64_t size = TRY(read_size(value));
  std::string artifact_type = TRY(value.string_or_empty("artifactType"));
  Annotations annotations = TRY(read_annotations(value));
  std::optional<Platform> platform = TRY(read_platform(value));
  std::vector<std::string> urls = TRY(read_urls(value));
  return Descriptor{.media_type = std::move(media_type),
                    .digest = std::move(digest),
                    .size = size,
                    .artifact_type = std::move(artifact_type),
                    .annotations = std::move(annotations),
                    .platform = std::move(platform),
                    .urls = std::move(urls)};
}

Result<std::vector<Descriptor>> read_descriptors(const Value& object, std::string_view key) {
  std::vector<Descriptor> descriptors;
  const std::optional<Value> member = object.find(key);
  if (!member) return descriptors;
  const std::vector<Value> items = TRY(named(key, member->as_array()));
  if (items.size() > kDescriptorLimit) {
    return Error(Errc::too_large, std::string(key) + ": " + std::to_string(items.size()) +
                                      " descriptors; berth reads at most " +
                                      std::to_string(kDescriptorLimit));
  }
  descriptors.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string place = std::string(key) + "[" + std::to_string(i) + "]";
    descriptors.push_back(TRY(named(place, read_descriptor(items[i]))));
  }
  return descriptors;
}

json::Node write_annotations(const Annotations& annotations) {
  json::Node node = json::Node::object();
  for (const auto& [key, value] : annotations) node.set(key, value);
  return node;
}

json::Node write_descriptor(const Descriptor& descriptor) {
  json::Node node = json::Node::object();
  node.set("mediaType", descriptor.media_type);
  node.set("digest", descriptor.digest.text());
  node.set("size", descriptor.size);
  if (!descriptor.urls.empty()) {
    node.set("urls", json::Node::Array(descriptor.urls.begin(), descriptor.urls.end()));
  }
  if (!descriptor.annotations.empty()) {
    node.set("annotations", write_annotations(descriptor.annotations));
  }
  if (descriptor.platform) node.set("platform", write_platform(*descriptor.platform));
  if (!descriptor.artifact_type.empty()) node.set("artifactType", descriptor.artifact_type);
  return node;
}

}  // namespace berth::oci
