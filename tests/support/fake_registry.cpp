// SPDX-License-Identifier: Apache-2.0
#include "support/fake_registry.hpp"

#include <array>
#include <stdexcept>

#include <openssl/evp.h>

#include "support/fake_registry_impl.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* kIndexType = "application/vnd.oci.image.index.v1+json";
constexpr const char* kConfigType = "application/vnd.oci.image.config.v1+json";
constexpr const char* kLayerType = "application/vnd.oci.image.layer.v1.tar+gzip";
constexpr const char* kEmptyType = "application/vnd.oci.empty.v1+json";

Json descriptor(const char* media_type, const std::string& digest, std::size_t size) {
  return {{"mediaType", media_type}, {"digest", digest}, {"size", size}};
}

}  // namespace

FakeRegistry::Impl::Impl(RegistryBehaviour how, const HttpServerOptions& options)
    : behaviour(std::move(how)) {
  HttpServerOptions other = options;
  other.port = 0;
  other.require_client_certificate = false;
  storage = std::make_unique<HttpServer>(
      [this](const HttpRequest& request) {
        return storage_faults.answer(
            request, [this](const HttpRequest& asked) { return serve_storage(asked); });
      },
      other);
  tokens = std::make_unique<HttpServer>(
      [this](const HttpRequest& request) {
        return token_faults.answer(request,
                                   [this](const HttpRequest& asked) { return serve_token(asked); });
      },
      other);
  registry = std::make_unique<HttpServer>(
      [this](const HttpRequest& request) {
        return registry_faults.answer(request,
                                      [this](const HttpRequest& asked) { return serve(asked); });
      },
      options);
  registry->on_body(
      [this](const HttpRequest& head) { return body_faults.take(head).value_or(BodyFault{}); });
}

FakeRegistry::FakeRegistry(RegistryBehaviour behaviour, HttpServerOptions options)
    : impl_(std::make_unique<Impl>(std::move(behaviour), options)) {}

FakeRegistry::~FakeRegistry() = default;

HttpServer& FakeRegistry::server() const { return *impl_->registry; }
HttpServer& FakeRegistry::tokens() const { return *impl_->tokens; }
HttpServer& FakeRegistry::storage() const { return *impl_->storage; }

void FakeRegistry::change(const std::function<void(RegistryBehaviour&)>& how) {
  const std::lock_guard lock(impl_->mutex);
  how(impl_->behaviour);
}

void FakeRegistry::fault(FaultMatch match, Fault action) {
  impl_->registry_faults.add(std::move(match), std::move(action));
}

void FakeRegistry::fault(HttpServer& where, FaultMatch match, Fault action) {
  FaultList& list = &where == impl_->tokens.get()    ? impl_->token_faults
                    : &where == impl_->storage.get() ? impl_->storage_faults
                                                     : impl_->registry_faults;
  list.add(std::move(match), std::move(action));
}

void FakeRegistry::body_fault(FaultMatch match, BodyFault fault) {
  impl_->body_faults.add(std::move(match), std::move(fault));
}

void FakeRegistry::clear_faults() {
  impl_->body_faults.clear();
  impl_->registry_faults.clear();
  impl_->token_faults.clear();
  impl_->storage_faults.clear();
}

std::string FakeRegistry::add_blob(const std::string& repository, std::string content,
                                   const char* algorithm) {
  const std::string digest = digest_text(content, algorithm);
  const std::lock_guard lock(impl_->mutex);
  impl_->repositories[repository].blobs[digest] =
      std::make_shared<const std::string>(std::move(content));
  return digest;
}

std::string FakeRegistry::add_manifest(const std::string& repository, std::string content,
                                       const std::string& media_type, const std::string& tag,
                                       const char* algorithm) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->store_manifest(repository, std::move(content), media_type, tag, algorithm);
}

FakeImage FakeRegistry::add_image(const std::string& repository, const std::string& tag,
                                  const std::vector<std::string>& layers, const std::string& os,
                                  const std::string& architecture) {
  FakeImage image;
  const std::string config = Json{{"created", "2026-01-02T03:04:05Z"},
                                  {"architecture", architecture},
                                  {"os", os},
                                  {"config", Json::object()},
                                  {"rootfs", {{"type", "layers"}, {"diff_ids", Json::array()}}}}
                                 .dump();
  image.config_digest = add_blob(repository, config);
  Json manifest{{"schemaVersion", 2},
                {"mediaType", kManifestType},
                {"config", descriptor(kConfigType, image.config_digest, config.size())},
                {"layers", Json::array()}};
  for (const auto& layer : layers) {
    image.layer_digests.push_back(add_blob(repository, layer));
    manifest["layers"].push_back(descriptor(kLayerType, image.layer_digests.back(), layer.size()));
  }
  image.manifest = manifest.dump();
  image.digest = add_manifest(repository, image.manifest, kManifestType, tag);
  return image;
}

std::string FakeRegistry::add_index(const std::string& repository, const std::string& tag,
                                    const std::vector<std::string>& manifests) {
  Json index{{"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", Json::array()}};
  {
    const std::lock_guard lock(impl_->mutex);
    const auto& stored = impl_->repositories[repository];
    for (const auto& digest : manifests) {
      const auto& manifest = stored.manifests.at(digest);
      Json entry = descriptor(manifest.media_type.c_str(), digest, manifest.content->size());
      const Json parsed = Json::parse(*manifest.content);
      if (parsed.contains("config")) {
        const auto& config = stored.blobs.at(parsed["config"]["digest"].get<std::string>());
        const Json platform = Json::parse(*config);
        if (platform.contains("os")) {
          entry["platform"] = {{"architecture", platform["architecture"]}, {"os", platform["os"]}};
        }
      }
      index["manifests"].push_back(std::move(entry));
    }
  }
  return add_manifest(repository, index.dump(), kIndexType, tag);
}

FakeImage FakeRegistry::add_artifact(const std::string& repository, const std::string& tag,
                                     const std::string& artifact_type, const Titled& files,
                                     const std::optional<std::string>& subject) {
  FakeImage artifact;
  artifact.config_digest = add_blob(repository, "{}");
  Json manifest{{"schemaVersion", 2},
                {"mediaType", kManifestType},
                {"artifactType", artifact_type},
                {"config", descriptor(kEmptyType, artifact.config_digest, 2)},
                {"layers", Json::array()}};
  for (const auto& [title, content] : files) {
    artifact.layer_digests.push_back(add_blob(repository, content));
    Json layer =
        descriptor("application/octet-stream", artifact.layer_digests.back(), content.size());
    layer["annotations"] = {{"org.opencontainers.image.title", title}};
    manifest["layers"].push_back(std::move(layer));
  }
  if (files.empty()) {
    manifest["layers"].push_back(descriptor(kEmptyType, artifact.config_digest, 2));
  }
  if (subject) {
    const std::lock_guard lock(impl_->mutex);
    const auto& known = impl_->repositories[repository].manifests;
    const auto found = known.find(*subject);
    manifest["subject"] =
        found == known.end()
            ? descriptor(kManifestType, *subject, 2)
            : descriptor(found->second.media_type.c_str(), *subject, found->second.content->size());
  }
  artifact.manifest = manifest.dump();
  artifact.digest = add_manifest(repository, artifact.manifest, kManifestType, tag);
  return artifact;
}

std::string FakeRegistry::add_referrers_tag(const std::string& repository, const std::string& tag,
                                            const std::string& subject) {
  HttpRequest asked;
  asked.target = "/v2/" + repository + "/referrers/" + subject;
  std::string index;
  {
    const std::lock_guard lock(impl_->mutex);
    index = impl_->serve_referrers(asked, {repository, "referrers", subject}).body;
  }
  return add_manifest(repository, index, kIndexType, tag);
}

void FakeRegistry::tag(const std::string& repository, const std::string& tag,
                       const std::string& digest) {
  const std::lock_guard lock(impl_->mutex);
  impl_->repositories[repository].tags[tag] = digest;
  impl_->acr_stored(repository, tag);
}

void FakeRegistry::untag(const std::string& repository, const std::string& tag) {
  const std::lock_guard lock(impl_->mutex);
  impl_->repositories[repository].tags.erase(tag);
}

void FakeRegistry::remove_manifest(const std::string& repository, const std::string& digest) {
  const std::lock_guard lock(impl_->mutex);
  impl_->remove({repository, "manifests", digest});
}

void FakeRegistry::remove_blob(const std::string& repository, const std::string& digest) {
  const std::lock_guard lock(impl_->mutex);
  impl_->remove({repository, "blobs", digest});
}

void FakeRegistry::remove_repository(const std::string& repository) {
  const std::lock_guard lock(impl_->mutex);
  impl_->repositories.erase(repository);
}

void FakeRegistry::add_empty_repository(const std::string& repository) {
  const std::lock_guard lock(impl_->mutex);
  impl_->repositories[repository];
}

std::optional<std::string> FakeRegistry::tag_target(const std::string& repository,
                                                    const std::string& tag) {
  const std::lock_guard lock(impl_->mutex);
  const auto& tags = impl_->repositories[repository].tags;
  const auto found = tags.find(tag);
  return found == tags.end() ? std::nullopt : std::optional(found->second);
}

std::set<std::string> FakeRegistry::repositories() {
  const std::lock_guard lock(impl_->mutex);
  std::set<std::string> names;
  for (const auto& [name, unused] : impl_->repositories) names.insert(name);
  return names;
}

int FakeRegistry::open_uploads() {
  const std::lock_guard lock(impl_->mutex);
  return static_cast<int>(impl_->uploads.size());
}

bool FakeRegistry::has_blob(const std::string& repository, const std::string& digest) {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->repositories.find(repository);
  return found != impl_->repositories.end() && found->second.blobs.contains(digest);
}

bool FakeRegistry::has_manifest(const std::string& repository, const std::string& digest) {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->repositories.find(repository);
  return found != impl_->repositories.end() && found->second.manifests.contains(digest);
}

std::string digest_text(std::string_view bytes, const char* algorithm) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
  unsigned size = 0;
  const EVP_MD* method = EVP_get_digestbyname(algorithm);
  if (method == nullptr ||
      EVP_Digest(bytes.data(), bytes.size(), raw.data(), &size, method, nullptr) != 1) {
    throw std::runtime_error(std::string("no digest algorithm ") + algorithm);
  }
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text = std::string(algorithm) + ":";
  for (unsigned i = 0; i < size; ++i) {
    text += kHex[raw[i] >> 4];
    text += kHex[raw[i] & 15];
  }
  return text;
}

std::string pattern_bytes(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  std::uint64_t state = 0x9E3779B97F4A7C15ULL * (seed + 1ULL);
  for (char& byte : bytes) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<char>(state >> 32);
  }
  return bytes;
}

}  // namespace berth::test
