// SPDX-License-Identifier: Apache-2.0
#include "support/fake_registry_impl.hpp"

namespace berth::test {

using Json = nlohmann::ordered_json;

namespace {

const char* algorithm_of(const std::string& digest) {
  return digest.starts_with("sha512:") ? "sha512" : "sha256";
}

/// Of a Content-Range ("a-b", without "bytes ") what is wrong at `held` bytes; "" for nothing.
std::string fault_of_range(const std::string& range, std::size_t held) {
  if (range.empty()) return {};
  const bool digits = range.find_first_not_of("0123456789-") == std::string::npos;
  if (!digits || range.front() == '-') return "the Content-Range header format is invalid";
  return std::stoull(range) == held ? "" : "the Content-Range does not begin where the upload ends";
}

}  // namespace

HttpReply FakeRegistry::Impl::write(const HttpRequest& request, const Target& target) {
  if (request.method == "DELETE") return remove(target);
  if (target.kind == "manifests" && request.method == "PUT") return put_manifest(request, target);
  if (target.kind != "uploads") return error_reply(405, "UNSUPPORTED");
  if (request.method == "POST") return start_upload(request, target);
  return continue_upload(request, target);
}

std::string FakeRegistry::Impl::upload_origin() const {
  return behaviour.absolute_locations ? registry->origin() : std::string();
}

HttpReply FakeRegistry::Impl::start_upload(const HttpRequest& request, const Target& target) {
  Repository& repository = repositories[target.repository];
  const std::string mount = request.query("mount");
  if (const auto from = repositories.find(request.query("from")); from != repositories.end()) {
    if (const auto blob = from->second.blobs.find(mount); blob != from->second.blobs.end()) {
      repository.blobs[mount] = blob->second;
      return {.status = 201,
              .headers = {{"Location", "/v2/" + target.repository + "/blobs/" + mount},
                          {"Docker-Content-Digest", mount}}};
    }
  }
  const std::string id = "upload-" + std::to_string(++numbers);
  uploads[id];
  return {.status = 202,
          .headers = {{"Location", upload_origin() + "/v2/" + target.repository +
                                       "/blobs/uploads/" + id + "?state=x"},
                      {"Range", "0-0"}}};
}

HttpReply FakeRegistry::Impl::continue_upload(const HttpRequest& request, const Target& target) {
  const auto upload = uploads.find(target.reference);
  if (upload == uploads.end()) return error_reply(404, "BLOB_UPLOAD_UNKNOWN");
  const std::string location = upload_origin() + request.path() + "?state=x";
  const auto held = [&] {
    return "0-" + std::to_string(upload->second.empty() ? 0 : upload->second.size() - 1);
  };
  if (request.method == "GET") {
    return {.status = 204, .headers = {{"Location", location}, {"Range", held()}}};
  }
  const std::string range = request.header("Content-Range");
  if (const auto why = fault_of_range(range, upload->second.size()); !why.empty()) {
    Json error{{"code", "BLOB_UPLOAD_INVALID"}, {"message", "out of order"}};
    if (behaviour.acr) error["detail"] = {{"Range", range}, {"Reason", why}};
    HttpReply reply = json_reply(416, {{"errors", Json::array({error})}});
    reply.set_header("Range", held());
    return reply;
  }
  const std::size_t limit = request.method == "PATCH" ? behaviour.keeps_of_a_patch : 0;
  upload->second += limit == 0 ? request.body : request.body.substr(0, limit);
  if (request.is_cut) return {};  // nobody will hear it
  if (request.method == "PATCH") {
    return {.status = 202, .headers = {{"Location", location}, {"Range", held()}}};
  }
  const std::string digest = request.query("digest");
  const std::string content = std::move(upload->second);
  uploads.erase(upload);
  if (digest_text(content, algorithm_of(digest)) != digest) {
    return error_reply(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
  }
  repositories[target.repository].blobs[digest] = std::make_shared<const std::string>(content);
  return {.status = 201,
          .headers = {{"Location", "/v2/" + target.repository + "/blobs/" + digest},
                      {"Docker-Content-Digest", digest}}};
}

std::string FakeRegistry::Impl::store_manifest(const std::string& repository, std::string content,
                                               const std::string& media_type,
                                               const std::string& tag, const char* algorithm) {
  const std::string digest = digest_text(content, algorithm);
  std::string subject;
  const Json parsed = Json::parse(content, nullptr, false);
  if (parsed.is_object() && parsed.contains("subject") && parsed["subject"].is_object()) {
    subject = parsed["subject"].value("digest", std::string());
  }
  Repository& stored = repositories[repository];
  stored.manifests[digest] = {std::make_shared<const std::string>(std::move(content)), media_type,
                              subject};
  acr_stored(repository, digest);
  if (tag.empty()) return digest;
  stored.tags[tag] = digest;
  acr_stored(repository, tag);
  return digest;
}

HttpReply FakeRegistry::Impl::put_manifest(const HttpRequest& request, const Target& target) {
  const Json parsed = Json::parse(request.body, nullptr, false);
  if (!parsed.is_object()) return error_reply(400, "MANIFEST_INVALID", "not a JSON object");
  const Repository& repository = repositories[target.repository];
  std::vector<std::string> needed;
  if (parsed.contains("config")) needed.push_back(parsed["config"].value("digest", ""));
  for (const auto& layer : parsed.value("layers", Json::array())) {
    needed.push_back(layer.value("digest", ""));
  }
  for (const auto& digest : needed) {
    if (!repository.blobs.contains(digest))
      return error_reply(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry");
  }
  const bool by_digest = target.reference.find(':') != std::string::npos;
  const char* algorithm = by_digest ? algorithm_of(target.reference) : "sha256";
  if (by_digest && digest_text(request.body, algorithm) != target.reference) {
    return error_reply(400, "DIGEST_INVALID", "the manifest has another digest");
  }
  const std::string digest =
      store_manifest(target.repository, request.body, request.header("Content-Type"),
                     by_digest ? std::string() : target.reference, algorithm);
  HttpReply reply{.status = 201,
                  .headers = {{"Location", "/v2/" + target.repository + "/manifests/" + digest},
                              {"Docker-Content-Digest", digest}}};
  const std::string& subject = repositories[target.repository].manifests[digest].subject;
  if (behaviour.referrers_api && !subject.empty()) reply.set_header("OCI-Subject", subject);
  return reply;
}

HttpReply FakeRegistry::Impl::remove(const Target& target) {
  if (target.kind == "uploads") {
    return {.status = uploads.erase(target.reference) == 1 ? 204 : 404};
  }
  const auto found = repositories.find(target.repository);
  if (found == repositories.end()) return error_reply(404, "NAME_UNKNOWN");
  Repository& repository = found->second;
  if (target.kind == "blobs") {
    if (repository.blobs.erase(target.reference) == 0) return error_reply(404, "BLOB_UNKNOWN");
    return {.status = 202};
  }
  if (target.kind != "manifests") return error_reply(405, "UNSUPPORTED");
  if (target.reference.find(':') == std::string::npos) {
    if (!behaviour.tag_delete) return error_reply(405, "UNSUPPORTED");
    if (repository.tags.erase(target.reference) == 0) return error_reply(404, "MANIFEST_UNKNOWN");
    return {.status = 202};
  }
  if (repository.manifests.erase(target.reference) == 0) {
    return error_reply(404, "MANIFEST_UNKNOWN");
  }
  std::erase_if(repository.tags, [&](const auto& tag) { return tag.second == target.reference; });
  return {.status = 202};
}

}  // namespace berth::test
