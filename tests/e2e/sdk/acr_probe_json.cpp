// SPDX-License-Identifier: Apache-2.0
#include "e2e/sdk/acr_probe_json.hpp"

namespace berth::probe {
namespace {

template <class Properties>
void add_permissions(Json& out, const Properties& properties) {
  if (properties.can_delete) out["canDelete"] = *properties.can_delete;
  if (properties.can_write) out["canWrite"] = *properties.can_write;
  if (properties.can_list) out["canList"] = *properties.can_list;
  if (properties.can_read) out["canRead"] = *properties.can_read;
}

void add_text(Json& out, const char* name, const std::string& text) {
  if (!text.empty()) out[name] = text;
}

Json to_json(const oci::Descriptor& descriptor) {
  Json out{{"mediaType", descriptor.media_type},
           {"digest", descriptor.digest.text()},
           {"size", descriptor.size}};
  for (const auto& [key, value] : descriptor.annotations) out["annotations"][key] = value;
  return out;
}

}  // namespace

Json to_json(const std::string& text) { return text; }
Json to_json(const Json& json) { return json; }
Json to_json(const acr::DeletedRepository&) { return {}; }

Json to_json(const acr::ContainerRepositoryProperties& properties) {
  Json out{{"registryLoginServer", properties.registry_login_server},
           {"name", properties.name},
           {"createdOn", properties.created_on.text()},
           {"lastUpdatedOn", properties.last_updated_on.text()},
           {"manifestCount", properties.manifest_count},
           {"tagCount", properties.tag_count}};
  add_permissions(out, properties);
  return out;
}

Json to_json(const acr::ArtifactTagProperties& properties) {
  Json out{{"registryLoginServer", properties.registry_login_server},
           {"repositoryName", properties.repository_name},
           {"name", properties.name},
           {"digest", properties.digest.text()},
           {"createdOn", properties.created_on.text()},
           {"lastUpdatedOn", properties.last_updated_on.text()}};
  add_permissions(out, properties);
  return out;
}

template <>
Json item_to_json(const acr::ArtifactTagProperties& properties) {
  Json out = to_json(properties);
  if (properties.is_signed) out["signed"] = *properties.is_signed;
  return out;
}

Json to_json(const acr::ArtifactManifestProperties& properties) {
  Json out{{"registryLoginServer", properties.registry_login_server},
           {"repositoryName", properties.repository_name},
           {"digest", properties.digest.text()},
           {"createdOn", properties.created_on.text()},
           {"lastUpdatedOn", properties.last_updated_on.text()},
           {"relatedArtifacts", Json::array()},
           {"tags", properties.tags}};
  if (properties.size_in_bytes) out["sizeInBytes"] = *properties.size_in_bytes;
  add_text(out, "architecture", properties.architecture);
  add_text(out, "operatingSystem", properties.operating_system);
  for (const acr::ArtifactManifestPlatform& platform : properties.related_artifacts) {
    Json one{{"digest", platform.digest.text()}};
    add_text(one, "architecture", platform.architecture);
    add_text(one, "operatingSystem", platform.operating_system);
    out["relatedArtifacts"].push_back(std::move(one));
  }
  add_permissions(out, properties);
  return out;
}

Json to_json(const acr::UploadBlobResult& result) {
  return {{"digest", result.digest.text()}, {"sizeInBytes", result.size_in_bytes}};
}

Json to_json(const acr::SetManifestResult& result) { return {{"digest", result.digest.text()}}; }

Json to_json(const acr::GetManifestResult& result) {
  Json out{{"digest", result.digest.text()},
           {"mediaType", result.media_type},
           {"content", result.content}};
  if (const oci::Manifest* manifest = result.manifest()) {
    out["layers"] = Json::array();
    for (const auto& layer : manifest->layers) out["layers"].push_back(to_json(layer));
    out["config"] = to_json(manifest->config);
  }
  return out;
}

acr::ChangeableProperties changes_in(const Json& command) {
  acr::ChangeableProperties changes;
  const Json& asked = command.at("changes");
  const auto take = [&](const char* name, std::optional<bool>& to) {
    if (asked.contains(name)) to = asked[name].get<bool>();
  };
  take("canDelete", changes.can_delete);
  take("canWrite", changes.can_write);
  take("canList", changes.can_list);
  take("canRead", changes.can_read);
  return changes;
}

Json error_to_json(const Error& error) {
  Json told{{"name", to_string(error.code())}};
  if (const HttpInfo* http = error.http()) {
    told["status"] = http->status;
    add_text(told, "code", http->registry_code);
  }
  return {{"error", told}, {"message", error.describe()}};
}

}  // namespace berth::probe
