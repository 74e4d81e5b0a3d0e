// SPDX-License-Identifier: Apache-2.0
// What the fake registry keeps as an Azure container registry: times, locks, and what was deleted.
#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "support/fake_registry_acr.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kTicks = 10'000'000;  // a second
/// 2023-03-07T02:03:10.3266287Z: the first thing is created then, and each other one 61.1111111 s
/// later. About one in ten has a fraction that ends in zero, which the service leaves out.
constexpr std::int64_t kFirst = 1'678'154'590 * kTicks + 3'266'287;
constexpr std::int64_t kStep = 61 * kTicks + 1'111'111;

std::string time_text(std::int64_t ticks) {
  const std::time_t whole = ticks / kTicks;
  std::tm fields{};
  ::gmtime_r(&whole, &fields);
  std::array<char, 40> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &fields);
  std::string out(text.data(), length);
  if (ticks % kTicks != 0) {
    std::snprintf(text.data(), text.size(), ".%07d", static_cast<int>(ticks % kTicks));
    out += text.data();
    out.erase(out.find_last_not_of('0') + 1);
  }
  return out + "Z";
}

bool is_index(const std::string& media_type) {
  return media_type.ends_with("image.index.v1+json") ||
         media_type.ends_with("manifest.list.v2+json");
}

}  // namespace

std::string acr_key(const std::string& repository, const std::string& reference) {
  if (reference.empty()) return repository;
  return repository + (reference.find(':') == std::string::npos ? ":" : "@") + reference;
}

namespace acr_error {

HttpReply name_unknown(const std::string& repository) {
  return json_reply(404,
                    {{"errors", Json::array({{{"code", "NAME_UNKNOWN"},
                                              {"message", "repository name not known to registry"},
                                              {"detail", {{"name", repository}}}}})}});
}

HttpReply tag_unknown(const std::string& repository, const std::string& tag) {
  return json_reply(
      404, {{"errors", Json::array({{{"code", "TAG_UNKNOWN"},
                                     {"message", "the specified tag does not exist"},
                                     {"detail", {{"Name", repository}, {"Tag", tag}}}}})}});
}

HttpReply manifest_unknown(const std::string& repository, const std::string& digest) {
  return json_reply(
      404, {{"errors", Json::array({{{"code", "MANIFEST_UNKNOWN"},
                                     {"message", "manifest " + digest + " is not found"},
                                     {"detail", {{"Name", repository}, {"Revision", digest}}}}})}});
}

HttpReply locked() {
  return error_reply(405, "REGISTRY_DISALLOWED_OPERATION",
                     std::string("The operation is disallowed on this registry, repository or "
                                 "image. View troubleshooting steps at "
                                 "https://aka.ms/acr/faq/#why-does-my-pull-or-push-request-fail-"
                                 "with-disallowed-operation"));
}

}  // namespace acr_error

FakeRegistry::Impl::AcrRecord& FakeRegistry::Impl::acr_record(const std::string& repository,
                                                              const std::string& reference) {
  const auto [place, added] = acr_records.try_emplace(acr_key(repository, reference));
  if (added) {
    place->second.created = kFirst + kStep * acr_clock++;
    place->second.updated = place->second.created;
  }
  return place->second;
}

void FakeRegistry::Impl::acr_stored(const std::string& repository, const std::string& reference) {
  const bool repository_is_new = !acr_records.contains(repository);
  AcrRecord& of_repository = acr_record(repository, {});
  const bool known = acr_records.contains(acr_key(repository, reference));
  AcrRecord& record = acr_record(repository, reference);
  if (known) record.updated = kFirst + kStep * acr_clock++;
  if (!repository_is_new) of_repository.updated = record.updated;
}

void FakeRegistry::Impl::acr_forget(const std::string& repository, const std::string& reference) {
  acr_records.erase(acr_key(repository, reference));
}

std::string FakeRegistry::Impl::acr_attributes(const AcrRecord& record) {
  const auto word = [](bool value) { return value ? "true" : "false"; };
  std::string text = R"({"deleteEnabled":)";
  text += word(record.can_delete);
  text += R"(,"writeEnabled":)";
  text += word(record.can_write);
  text += R"(,"readEnabled":)";
  text += word(record.can_read);
  text += R"(,"listEnabled":)";
  text += word(record.can_list);
  return text + "}";
}

/// As text: a list has thousands of them, and a tag's name needs no escape.
std::string FakeRegistry::Impl::acr_tag(const std::string& repository, const std::string& tag) {
  const AcrRecord& record = acr_record(repository, tag);
  std::string text = R"({"name":")" + tag;
  text += R"(","digest":")" + repositories[repository].tags.at(tag);
  text += R"(","createdTime":")" + time_text(record.created);
  text += R"(","lastUpdateTime":")" + time_text(record.updated);
  text += R"(","signed":false,"changeableAttributes":)" + acr_attributes(record) + "}";
  return text;
}

nlohmann::ordered_json FakeRegistry::Impl::acr_manifest(const std::string& repository,
                                                        const std::string& digest, bool single) {
  Repository& held = repositories[repository];
  const StoredManifest& stored = held.manifests.at(digest);
  const AcrRecord& record = acr_record(repository, digest);
  const Json parsed = Json::parse(*stored.content, nullptr, false);
  Json references = Json::array();
  std::uint64_t size = stored.content->size();
  Json item{{"digest", digest},
            {"imageSize", size},
            {"createdTime", time_text(record.created)},
            {"lastUpdateTime", time_text(record.updated)}};
  if (is_index(stored.media_type)) {
    for (const Json& entry : parsed.value("manifests", Json::array())) {
      size += entry.value("size", std::uint64_t{0});
      const Json platform = entry.value("platform", Json::object());
      references.push_back({{"digest", entry.value("digest", "")},
                            {"architecture", platform.value("architecture", Json())},
                            {"os", platform.value("os", Json())}});
    }
  } else if (parsed.is_object() && parsed.contains("config")) {
    for (const Json& layer : parsed.value("layers", Json::array())) {
      size += layer.value("size", std::uint64_t{0});
    }
    size += parsed["config"].value("size", std::uint64_t{0});
    const auto config = held.blobs.find(parsed["config"].value("digest", ""));
    Json platform =
        config == held.blobs.end() ? Json() : Json::parse(*config->second, nullptr, false);
    if (!platform.is_object()) platform = Json::object();
    item["architecture"] = platform.value("architecture", Json());
    item["os"] = platform.value("os", Json());
  }
  item["imageSize"] = size;
  item["mediaType"] = stored.media_type;
  if (parsed.is_object() && parsed.contains("config")) {
    item["configMediaType"] = parsed["config"].value("mediaType", "");
  }
  for (const auto& [tag, target] : held.tags) {
    if (target == digest) item["tags"].push_back(tag);
  }
  item["changeableAttributes"] = Json::parse(acr_attributes(record));
  if (single && is_index(stored.media_type)) item["references"] = references;
  return item;
}

nlohmann::ordered_json FakeRegistry::Impl::acr_repository(const std::string& repository) {
  const AcrRecord& record = acr_record(repository, {});
  const Repository& held = repositories[repository];
  return {{"registry", registry->host()},
          {"imageName", repository},
          {"createdTime", time_text(record.created)},
          {"lastUpdateTime", time_text(record.updated)},
          {"manifestCount", held.manifests.size()},
          {"tagCount", held.tags.size()},
          {"changeableAttributes", Json::parse(acr_attributes(record))}};
}

bool FakeRegistry::Impl::acr_is_locked(const std::string& repository,
                                       const std::string& reference) {
  const AcrRecord& record = acr_record(repository, reference);
  return !record.can_delete || !record.can_write;
}

bool FakeRegistry::Impl::acr_hides(const std::string& repository,
                                   const std::string& reference) const {
  const auto record = acr_records.find(acr_key(repository, reference));
  return record != acr_records.end() && !record->second.can_list;
}

bool FakeRegistry::Impl::acr_withholds(const std::string& repository,
                                       const std::string& reference) const {
  const auto closed = [&](const std::string& what) {
    const auto record = acr_records.find(acr_key(repository, what));
    return record != acr_records.end() && !record->second.can_read;
  };
  if (closed({}) || closed(reference)) return true;
  const auto held = repositories.find(repository);
  if (held == repositories.end()) return false;
  const auto tag = held->second.tags.find(reference);
  return tag != held->second.tags.end() && closed(tag->second);
}

HttpReply FakeRegistry::Impl::acr_remove(const std::string& repository,
                                         const std::string& reference) {
  Repository& held = repositories[repository];
  if (acr_is_locked(repository, {}) || acr_is_locked(repository, reference)) {
    return acr_error::locked();
  }
  std::vector<std::string> digests;
  std::vector<std::string> tags;
  const bool is_tag = !reference.empty() && reference.find(':') == std::string::npos;
  for (const auto& [tag, target] : held.tags) {
    if (reference.empty() || reference == tag || reference == target) tags.push_back(tag);
  }
  for (const auto& [digest, unused] : held.manifests) {
    if (reference.empty() || reference == digest) digests.push_back(digest);
  }
  const auto blocks = [&](const std::string& what) { return acr_is_locked(repository, what); };
  if (!is_tag && (std::ranges::any_of(tags, blocks) || std::ranges::any_of(digests, blocks))) {
    return acr_error::locked();
  }
  const std::string now = time_text(kFirst + kStep * acr_clock++);
  for (const std::string& tag : tags) {
    if (behaviour.soft_delete) {
      acr_deleted[repository].tags.push_back({tag, held.tags.at(tag), now});
    }
    held.tags.erase(tag);
    acr_forget(repository, tag);
  }
  for (const std::string& digest : digests) {
    if (behaviour.soft_delete) {
      acr_deleted[repository].manifests[digest] = {held.manifests.at(digest), tags, now};
    }
    held.manifests.erase(digest);
    acr_forget(repository, digest);
  }
  if (!reference.empty()) return {.status = 202};
  repositories.erase(repository);
  acr_forget(repository, {});
  return json_reply(202, {{"manifestsDeleted", digests}, {"tagsDeleted", tags}});
}

HttpReply FakeRegistry::Impl::acr_restore(const HttpRequest& request, const std::string& repository,
                                          const std::string& digest) {
  AcrDeleted& gone = acr_deleted[repository];
  Repository& held = repositories[repository];
  const auto found = gone.manifests.find(digest);
  if (found == gone.manifests.end() && !held.manifests.contains(digest)) {
    return acr_error::manifest_unknown(repository, digest);
  }
  const Json body = Json::parse(request.body, nullptr, false);
  const std::string tag = body.is_object() ? body.value("tag", std::string()) : std::string();
  const auto taken = held.tags.find(tag);
  if (taken != held.tags.end() && taken->second != digest && request.query("force") != "True") {
    return error_reply(409, "CONFLICT", "the tag exists and leads to another manifest");
  }
  if (found != gone.manifests.end()) {
    held.manifests[digest] = found->second.stored;
    acr_stored(repository, digest);
    gone.manifests.erase(found);
  }
  if (!tag.empty()) {
    held.tags[tag] = digest;
    acr_stored(repository, tag);
    std::erase_if(gone.tags,
                  [&](const auto& one) { return one.name == tag && one.digest == digest; });
  }
  return json_reply(200, Json::object());
}

void FakeRegistry::set_times(const std::string& repository, const std::string& reference,
                             std::int64_t created, std::int64_t updated) {
  const std::lock_guard lock(impl_->mutex);
  auto& record = impl_->acr_record(repository, reference);
  record.created = created;
  record.updated = updated;
}

void FakeRegistry::lock(const std::string& repository, const std::string& reference,
                        bool can_delete, bool can_write) {
  const std::lock_guard lock(impl_->mutex);
  auto& record = impl_->acr_record(repository, reference);
  record.can_delete = can_delete;
  record.can_write = can_write;
}

}  // namespace berth::test
