// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "berth/base/text.hpp"

#include "support/fake_registry_impl.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kIndexType = "application/vnd.oci.image.index.v1+json";

struct Range {
  std::uint64_t first = 0;
  std::uint64_t length = 0;
};
enum class RangeAsked : unsigned char { none, satisfiable, unsatisfiable };

/// One range of RFC 9110 section 14.2; what cannot be read is as if absent.
RangeAsked parse_range(const std::string& text, std::uint64_t total, Range& out) {
  if (!text.starts_with("bytes=") || text.find(',') != std::string::npos) return RangeAsked::none;
  const auto dash = text.find('-', 6);
  if (dash == std::string::npos) return RangeAsked::none;
  const std::string first = text.substr(6, dash - 6);
  const std::string last = text.substr(dash + 1);
  if (first.empty()) {
    if (last.empty()) return RangeAsked::none;
    const std::uint64_t suffix = std::min<std::uint64_t>(std::stoull(last), total);
    out = {total - suffix, suffix};
    return suffix == 0 ? RangeAsked::unsatisfiable : RangeAsked::satisfiable;
  }
  out.first = std::stoull(first);
  if (out.first >= total) return RangeAsked::unsatisfiable;
  const std::uint64_t end =
      last.empty() ? total : std::min<std::uint64_t>(std::stoull(last) + 1, total);
  if (end <= out.first) return RangeAsked::none;
  out.length = end - out.first;
  return RangeAsked::satisfiable;
}

std::string artifact_type_of(const Json& manifest) {
  const std::string own = manifest.value("artifactType", std::string());
  if (!own.empty() || !manifest.contains("config")) return own;
  return manifest["config"].value("mediaType", std::string());
}

/// docker sends a header for each type.
bool accepts(const HttpRequest& request, const std::string& type) {
  return std::ranges::any_of(request.headers, [&](const auto& field) {
    return text::equals_ignoring_case(field.first, "Accept") &&
           field.second.find(type) != std::string::npos;
  });
}

}  // namespace

HttpReply json_reply(int status, const Json& json, HttpFields headers) {
  headers.emplace_back("Content-Type", "application/json");
  return {.status = status, .headers = std::move(headers), .body = json.dump()};
}

HttpReply error_reply(int status, const char* code, const std::string& message) {
  return json_reply(status, {{"errors", Json::array({{{"code", code}, {"message", message}}})}});
}

std::optional<FakeRegistry::Impl::Target> FakeRegistry::Impl::parse_target(
    const std::string& path) {
  // The kind nearest to the end decides: repositories may be called "manifests" or "blobs" too.
  std::size_t best = std::string::npos;
  std::string best_kind;
  for (const char* kind : {"manifests", "blobs", "tags", "referrers"}) {
    const auto at = path.rfind("/" + std::string(kind) + "/");
    if (at == std::string::npos || at < 4) continue;
    if (best == std::string::npos || at > best) {
      best = at;
      best_kind = kind;
    }
  }
  if (best == std::string::npos || !path.starts_with("/v2/")) return std::nullopt;
  Target target{path.substr(4, best - 4), best_kind, path.substr(best + best_kind.size() + 2)};
  if (target.kind == "blobs" && target.reference.starts_with("uploads/")) {
    target.kind = "uploads";
    target.reference.erase(0, 8);
  }
  return target;
}

HttpReply FakeRegistry::Impl::serve(const HttpRequest& request) {
  const std::lock_guard lock(mutex);
  if (behaviour.acr) return serve_as_acr(request);
  if (auto refusal = refuse(request, parse_target(request.path()))) return *std::move(refusal);
  return serve_distribution(request);
}

HttpReply FakeRegistry::Impl::serve_distribution(const HttpRequest& request) {
  const std::string path = request.path();
  const auto target = parse_target(path);
  if (path == "/v2/" || path == "/v2") {
    return json_reply(200, Json::object(), {{"Docker-Distribution-Api-Version", "registry/2.0"}});
  }
  if (path == "/v2/_catalog") return serve_catalogue(request);
  if (!target) return {.status = 404, .body = "404 page not found\n"};
  if (request.method != "GET" && request.method != "HEAD") return write(request, *target);
  if (request.method == "HEAD" && !behaviour.head) return error_reply(405, "UNSUPPORTED");
  if (target->kind == "referrers" && !behaviour.referrers_api) {
    return {.status = 404, .body = "404 page not found\n"};
  }
  if (target->kind == "uploads") return continue_upload(request, *target);
  // docker-registry knows no repositories when it is asked for their content.
  const bool known = repositories.contains(target->repository);
  if (!known && (target->kind == "tags" || target->kind == "referrers")) {
    return error_reply(404, "NAME_UNKNOWN", "repository name not known to registry");
  }
  if (target->kind == "tags") return serve_tags(request, target->repository);
  if (target->kind == "manifests") return serve_manifest(request, *target);
  if (target->kind == "referrers") return serve_referrers(request, *target);
  return serve_blob(request, *target);
}

HttpReply FakeRegistry::Impl::list_reply(const HttpRequest& request, Json head, const char* key,
                                         const std::vector<std::string>& names) {
  std::size_t limit = behaviour.page_size == 0 ? names.size() : behaviour.page_size;
  if (const std::string n = request.query("n"); !n.empty()) {
    const std::size_t asked = std::stoull(n);
    if (asked > behaviour.max_page_size) {
      return error_reply(400, "PAGINATION_NUMBER_INVALID", "n is too large");
    }
    limit = behaviour.page_size == 0 ? asked : std::min(asked, behaviour.page_size);
  }
  const std::string last = request.query("last");
  const auto begin = std::ranges::upper_bound(names, last);
  const auto count = std::min<std::size_t>(limit, static_cast<std::size_t>(names.end() - begin));
  const std::vector<std::string> page(begin, begin + static_cast<std::ptrdiff_t>(count));
  head[key] = page;
  if (page.empty() && behaviour.null_tags) head[key] = nullptr;
  HttpReply reply = json_reply(200, head);
  if (!page.empty() && page.back() != names.back()) {
    std::string next = behaviour.absolute_links ? registry->origin() : "";
    next += request.path() + "?last=" + page.back();
    if (!request.query("n").empty()) next += "&n=" + request.query("n");
    reply.set_header("Link", "<" + next + ">; rel=\"next\"");
  }
  return reply;
}

HttpReply FakeRegistry::Impl::serve_catalogue(const HttpRequest& request) {
  if (behaviour.catalogue == RegistryBehaviour::Catalogue::off) {
    return {.status = 404, .body = "404 page not found\n"};
  }
  if (behaviour.catalogue == RegistryBehaviour::Catalogue::denied) {
    return error_reply(403, "DENIED", "requested access to the resource is denied");
  }
  std::vector<std::string> names;
  for (const auto& [name, unused] : repositories) {
    if (!acr_hides(name, {})) names.push_back(name);
  }
  return list_reply(request, Json::object(), "repositories", names);
}

HttpReply FakeRegistry::Impl::serve_tags(const HttpRequest& request,
                                         const std::string& repository) {
  std::vector<std::string> names;
  for (const auto& [name, unused] : repositories[repository].tags) {
    if (!acr_hides(repository, name)) names.push_back(name);
  }
  return list_reply(request, {{"name", repository}}, "tags", names);
}

HttpReply FakeRegistry::Impl::serve_manifest(const HttpRequest& request, const Target& target) {
  static const Repository kNone;
  const auto holder = repositories.find(target.repository);
  const Repository& repository = holder == repositories.end() ? kNone : holder->second;
  std::string digest = target.reference;
  if (const auto tag = repository.tags.find(digest); tag != repository.tags.end()) {
    digest = tag->second;
  }
  const auto found = repository.manifests.find(digest);
  if (found == repository.manifests.end()) {
    return error_reply(404, "MANIFEST_UNKNOWN", "manifest unknown to registry");
  }
  const std::string& type = found->second.media_type;
  const bool is_docker = type.starts_with("application/vnd.docker.");
  if (behaviour.checks_accept && !is_docker && type.starts_with("application/vnd.") &&
      type.find(".manifest.") != std::string::npos && !accepts(request, type)) {
    return error_reply(404, "MANIFEST_UNKNOWN",
                       "OCI manifest found, but accept header does not support OCI manifests");
  }
  HttpReply reply;
  const std::string etag = "\"" + digest + "\"";
  if (behaviour.etags) reply.set_header("ETag", etag);
  if (behaviour.content_digest) reply.set_header("Docker-Content-Digest", digest);
  if (behaviour.etags && request.header("If-None-Match") == etag) {
    reply.status = 304;
    return reply;
  }
  reply.set_header("Content-Type", behaviour.manifest_types ? type : "text/plain");
  reply.shared_body = found->second.content;
  return reply;
}

HttpReply FakeRegistry::Impl::serve_blob(const HttpRequest& request, const Target& target) {
  const auto holder = repositories.find(target.repository);
  if (holder == repositories.end() || !holder->second.blobs.contains(target.reference)) {
    return error_reply(404, "BLOB_UNKNOWN", "blob unknown to registry");
  }
  const Content& content = holder->second.blobs[target.reference];
  if (behaviour.redirect_blobs) {
    const std::string location = storage->origin() + "/storage/" + target.repository + "/" +
                                 target.reference + storage_query();
    return {.status = 307, .headers = {{"Location", location}}};
  }
  return blob_reply(request, target.reference, content);
}

/// As a shared access signature has it: until when, and a secret.
std::string FakeRegistry::Impl::storage_query() const {
  if (behaviour.storage_seconds == 0) return "?signature=secret";
  return "?se=" + std::to_string(unix_time() + behaviour.storage_seconds) + "&signature=secret";
}

bool FakeRegistry::Impl::storage_link_expired(const HttpRequest& request) const {
  const std::string until = request.query("se");
  return !until.empty() && unix_time() >= std::stoll(until);
}

HttpReply FakeRegistry::Impl::serve_storage(const HttpRequest& request) {
  const std::lock_guard lock(mutex);
  if (request.has_header("Authorization")) {
    return {.status = 400, .body = "<Error>Only one auth mechanism allowed</Error>"};
  }
  if (storage_link_expired(request)) {
    return {.status = 403,
            .body =
                "<Error><Code>AuthenticationFailed</Code><Message>Signature not valid in the "
                "specified time frame</Message></Error>"};
  }
  const std::string path = request.path();  // /storage/<repository>/<digest>
  const auto slash = path.rfind('/');
  if (!path.starts_with("/storage/") || slash < 9) return {.status = 404};
  const auto repository = repositories.find(path.substr(9, slash - 9));
  if (repository == repositories.end()) return {.status = 404};
  const auto found = repository->second.blobs.find(path.substr(slash + 1));
  if (found == repository->second.blobs.end()) return {.status = 404};
  return blob_reply(request, found->first, found->second);
}

HttpReply FakeRegistry::Impl::blob_reply(const HttpRequest& request, const std::string& digest,
                                         const Content& content) {
  HttpReply reply{.headers = {{"Content-Type", "application/octet-stream"}}};
  const std::string etag = "\"" + digest + "\"";
  if (behaviour.etags) reply.set_header("ETag", etag);
  if (behaviour.content_digest) reply.set_header("Docker-Content-Digest", digest);
  if (behaviour.ranges) reply.set_header("Accept-Ranges", "bytes");
  reply.shared_body = content;
  const std::uint64_t total = content->size();
  const std::string if_range = request.header("If-Range");
  if (!behaviour.ranges || (!if_range.empty() && if_range != etag)) return reply;
  Range range;
  switch (parse_range(request.header("Range"), total, range)) {
    case RangeAsked::none:
      break;
    case RangeAsked::unsatisfiable:
      reply = error_reply(416, "RANGE_INVALID");
      reply.set_header("Content-Range", "bytes */" + std::to_string(total));
      break;
    case RangeAsked::satisfiable:
      reply.status = 206;
      reply.shared_offset = range.first;
      reply.shared_length = range.length;
      reply.set_header("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                            std::to_string(range.first + range.length - 1) + "/" +
                                            std::to_string(total));
      break;
  }
  return reply;
}

HttpReply FakeRegistry::Impl::serve_referrers(const HttpRequest& request, const Target& target) {
  const std::string wanted = request.query("artifactType");
  const bool filters = !wanted.empty() && behaviour.filters_referrers;
  Json all = Json::array();
  for (const auto& [digest, manifest] : repositories[target.repository].manifests) {
    if (manifest.subject != target.reference) continue;
    const Json parsed = Json::parse(*manifest.content);
    const std::string type = artifact_type_of(parsed);
    if (filters && type != wanted) continue;
    Json descriptor{
        {"mediaType", manifest.media_type}, {"digest", digest}, {"size", manifest.content->size()}};
    if (!type.empty()) descriptor["artifactType"] = type;
    if (parsed.contains("annotations")) descriptor["annotations"] = parsed["annotations"];
    all.push_back(std::move(descriptor));
  }
  const std::string last = request.query("last");
  std::erase_if(all.get_ref<Json::array_t&>(),
                [&](const Json& item) { return item["digest"].get<std::string>() <= last; });
  HttpReply reply;
  if (behaviour.page_size != 0 && all.size() > behaviour.page_size) {
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(behaviour.page_size), all.end());
    std::string next = behaviour.absolute_links ? registry->origin() : "";
    next += request.path() + "?last=" + all.back()["digest"].get<std::string>();
    reply.set_header("Link", "<" + next + ">; rel=\"next\"");
  }
  reply.set_header("Content-Type", kIndexType);
  if (filters) reply.set_header("OCI-Filters-Applied", "artifactType");
  reply.body = Json{{"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", all}}.dump();
  return reply;
}

}  // namespace berth::test
