// SPDX-License-Identifier: Apache-2.0
#include "acr/parse.hpp"

#include <fmt/format.h>

#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"
#include "berth/json/value.hpp"
#include "berth/json/writer.hpp"

namespace berth::acr {
namespace {

using json::Value;

Result<json::Document> parse_object(std::string_view body) {
  auto document = TRY(json::Document::parse(body, {.bytes = http::limits::kPageBody, .depth = 64}));
  if (document.root().type() != json::Type::object) {
    return Error(Errc::corrupt, "the answer is not a JSON object");
  }
  return document;
}

Result<std::string> required(const Value& object, std::string_view key) {
  std::string text = TRY(object.string_or_empty(key));
  if (text.empty()) return Error(Errc::corrupt, fmt::format("'{}' is missing", key));
  return text;
}

Result<Digest> digest_in(const Value& object) {
  const std::string text = TRY(required(object, "digest"));
  auto digest = Digest::parse(text);
  if (digest) return digest;
  return Error(Errc::corrupt, digest.error().message());
}

Result<Timestamp> time_in(const Value& object, std::string_view key) {
  const std::string text = TRY(required(object, key));
  auto time = Timestamp::parse(text);
  if (!time) return std::move(time).error().with_context(key);
  return time;
}

Result<std::optional<Timestamp>> optional_time(const Value& object, std::string_view key) {
  if (!object.find(key)) return std::optional<Timestamp>();
  return std::optional(TRY(time_in(object, key)));
}

Result<std::optional<bool>> flag(const std::optional<Value>& object, std::string_view key) {
  const auto value = object ? object->find(key) : std::nullopt;
  if (!value || value->is_null()) return std::optional<bool>();
  return std::optional(TRY(value->as_bool()));
}

Result<std::uint64_t> number_or_zero(const Value& object, std::string_view key) {
  const auto value = object.find(key);
  if (!value || value->is_null()) return std::uint64_t{0};
  return value->as_unsigned();
}

/// changeableAttributes, whose names are the SDK's ones at the wire.
template <class Properties>
Result<void> read_permissions(const Value& object, Properties& out) {
  const auto attributes = object.find("changeableAttributes");
  out.can_delete = TRY(flag(attributes, "deleteEnabled"));
  out.can_write = TRY(flag(attributes, "writeEnabled"));
  out.can_list = TRY(flag(attributes, "listEnabled"));
  out.can_read = TRY(flag(attributes, "readEnabled"));
  return {};
}

/// Each item of a list by `read`; null and absent are empty, as of an empty repository.
template <class T, class Read>
Result<std::vector<T>> read_list(const Value& object, std::string_view key, Read read) {
  std::vector<T> out;
  const auto list = object.find(key);
  if (!list || list->is_null()) return out;
  const auto items = TRY(list->as_array());
  out.reserve(items.size());
  for (const Value& item : items) {
    auto one = read(item);
    if (!one) return std::move(one).error().with_context(fmt::format("'{}' of the answer", key));
    out.push_back(*std::move(one));
  }
  return out;
}

Result<std::string> read_text(const Value& item) {
  const auto text = TRY(item.as_string());
  return std::string(text);
}

Result<std::vector<std::string>> texts(const Value& object, std::string_view key) {
  return read_list<std::string>(object, key, read_text);
}

// The published description of the API spells it so, and so did servers that were made from it.
Result<std::string> architecture_in(const Value& object) {
  std::string text = TRY(object.string_or_empty("architecture"));
  if (text == "ppc641e") text = known_architecture::kPpc64le;
  return text;
}

/// registry and imageName stand around the item, in single answers and in lists.
struct Around {
  std::string registry;
  std::string repository;
};

Result<Around> around(const Value& root) {
  Around out;
  out.registry = TRY(root.string_or_empty("registry"));
  out.repository = TRY(root.string_or_empty("imageName"));
  return out;
}

Result<ArtifactTagProperties> read_tag(const Value& item, const Around& place) {
  auto name = TRY(required(item, "name"));
  auto digest = TRY(digest_in(item));
  const auto created = TRY(time_in(item, "createdTime"));
  const auto updated = TRY(time_in(item, "lastUpdateTime"));
  ArtifactTagProperties out{.registry_login_server = place.registry,
                            .repository_name = place.repository,
                            .name = std::move(name),
                            .digest = std::move(digest),
                            .created_on = created,
                            .last_updated_on = updated};
  out.is_signed = TRY(flag(item, "signed"));
  TRY(read_permissions(item, out));
  return out;
}

Result<ArtifactManifestPlatform> read_platform(const Value& item) {
  auto digest = TRY(digest_in(item));
  auto architecture = TRY(architecture_in(item));
  auto system = TRY(item.string_or_empty("os"));
  return ArtifactManifestPlatform{std::move(digest), std::move(architecture), std::move(system)};
}

Result<ArtifactManifestProperties> read_manifest(const Value& item, const Around& place) {
  auto digest = TRY(digest_in(item));
  const auto created = TRY(time_in(item, "createdTime"));
  const auto updated = TRY(time_in(item, "lastUpdateTime"));
  ArtifactManifestProperties out{.registry_login_server = place.registry,
                                 .repository_name = place.repository,
                                 .digest = std::move(digest),
                                 .created_on = created,
                                 .last_updated_on = updated};
  if (const auto size = item.find("imageSize")) out.size_in_bytes = TRY(size->as_unsigned());
  out.architecture = TRY(architecture_in(item));
  out.operating_system = TRY(item.string_or_empty("os"));
  out.media_type = TRY(item.string_or_empty("mediaType"));
  out.config_media_type = TRY(item.string_or_empty("configMediaType"));
  out.tags = TRY(texts(item, "tags"));
  out.related_artifacts =
      TRY(read_list<ArtifactManifestPlatform>(item, "references", read_platform));
  TRY(read_permissions(item, out));
  return out;
}

/// The one item of a single answer.
template <class T, class Read>
Result<T> read_single(std::string_view body, std::string_view key, Read read) {
  const auto document = TRY(parse_object(body));
  const Around place = TRY(around(document.root()));
  const auto item = document.root().find(key);
  if (!item) return Error(Errc::corrupt, fmt::format("'{}' is missing", key));
  return read(*item, place);
}

template <class T, class Read>
Result<std::vector<T>> read_page(std::string_view body, std::string_view key, Read read) {
  const auto document = TRY(parse_object(body));
  const Around place = TRY(around(document.root()));
  return read_list<T>(document.root(), key, [&](const Value& item) { return read(item, place); });
}

}  // namespace

Result<ContainerRepositoryProperties> parse_repository(std::string_view body) {
  const auto document = TRY(parse_object(body));
  const Value root = document.root();
  ContainerRepositoryProperties out;
  out.registry_login_server = TRY(root.string_or_empty("registry"));
  out.name = TRY(required(root, "imageName"));
  out.created_on = TRY(time_in(root, "createdTime"));
  out.last_updated_on = TRY(time_in(root, "lastUpdateTime"));
  out.manifest_count = TRY(number_or_zero(root, "manifestCount"));
  out.tag_count = TRY(number_or_zero(root, "tagCount"));
  TRY(read_permissions(root, out));
  return out;
}

Result<ArtifactTagProperties> parse_tag(std::string_view body) {
  return read_single<ArtifactTagProperties>(body, "tag", read_tag);
}

Result<ArtifactManifestProperties> parse_manifest(std::string_view body) {
  return read_single<ArtifactManifestProperties>(body, "manifest", read_manifest);
}

Result<DeletedRepository> parse_deleted_repository(std::string_view body) {
  DeletedRepository out;
  if (body.empty()) return out;
  const auto document = TRY(parse_object(body));
  const auto read_digest = [](const Value& item) -> Result<Digest> {
    const auto text = TRY(item.as_string());
    return Digest::parse(text);
  };
  out.manifests_deleted = TRY(read_list<Digest>(document.root(), "manifestsDeleted", read_digest));
  out.tags_deleted = TRY(texts(document.root(), "tagsDeleted"));
  return out;
}

Result<std::vector<std::string>> parse_names(std::string_view body) {
  const auto document = TRY(parse_object(body));
  return texts(document.root(), "repositories");
}

Result<std::vector<ArtifactTagProperties>> parse_tags(std::string_view body) {
  return read_page<ArtifactTagProperties>(body, "tags", read_tag);
}

Result<std::vector<ArtifactManifestProperties>> parse_manifests(std::string_view body) {
  return read_page<ArtifactManifestProperties>(body, "manifests", read_manifest);
}

Result<std::vector<DeletedManifest>> parse_deleted_manifests(std::string_view body) {
  return read_page<DeletedManifest>(
      body, "manifests", [](const Value& item, const Around&) -> Result<DeletedManifest> {
        auto digest = TRY(digest_in(item));
        const auto deleted_at = TRY(optional_time(item, "deletedAt"));
        auto tags = TRY(texts(item, "tags"));
        return DeletedManifest{std::move(digest), deleted_at, std::move(tags)};
      });
}

Result<std::vector<DeletedTag>> parse_deleted_tags(std::string_view body) {
  return read_page<DeletedTag>(body, "tags",
                               [](const Value& item, const Around&) -> Result<DeletedTag> {
                                 auto name = TRY(required(item, "tag"));
                                 auto digest = TRY(digest_in(item));
                                 const auto deleted_at = TRY(optional_time(item, "deletedAt"));
                                 return DeletedTag{std::move(name), std::move(digest), deleted_at};
                               });
}

std::string changes_text(const ChangeableProperties& changes) {
  json::Node body = json::Node::object();
  const auto add = [&](const char* key, const std::optional<bool>& value) {
    if (value) body.set(key, *value);
  };
  add("deleteEnabled", changes.can_delete);
  add("writeEnabled", changes.can_write);
  add("listEnabled", changes.can_list);
  add("readEnabled", changes.can_read);
  return body.to_text();
}

}  // namespace berth::acr
