// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/digest/hasher.hpp"
#include "berth/json/value.hpp"
#include "berth/oci/media_type.hpp"
#include "berth/oci/reference.hpp"
#include "berth/registry/quirks.hpp"

#include "registry/client_impl.hpp"

namespace berth::registry {
namespace {

/// "" when the answer says nothing that a manifest could be told by.
std::string stated_type(const http::Response& response) {
  const std::string* header = response.headers.find("Content-Type");
  std::string type = header != nullptr ? oci::without_parameters(*header) : std::string();
  return oci::is_generic(type) ? std::string() : type;
}

/// The digest of the bytes, once they were found to be what was asked for or announced.
Result<Digest> check_bytes(const std::string& raw, const std::string& type,
                           const std::optional<Digest>& asked, const http::Response& response) {
  if (asked) {
    auto right = verify(as_bytes(raw), *asked);
    if (right) return *asked;
    if (right.error().code() == Errc::digest_mismatch && oci::is_schema1(type)) {
      return Error(Errc::unsupported,
                   "it is a signed Docker schema 1 manifest, whose digest is not that of its "
                   "bytes; berth does not read those: push the image again with a current tool");
    }
    return std::move(right).error();
  }
  const auto stated = stated_digest(response);
  if (!stated && media_type_of(raw).empty()) {
    // Nothing vouches for the bytes: a proxy or a login page answers 200 with whatever it has.
    const std::string* said = response.headers.find("Content-Type");
    return Error(Errc::corrupt,
                 fmt::format("the answer is no manifest ({}): a proxy or a login page may stand "
                             "between, or this is no registry",
                             said != nullptr ? text::escape_for_terminal(*said) : "of no type"));
  }
  if (!stated) return digest_of(as_bytes(raw));
  if (auto right = verify(as_bytes(raw), *stated); !right) {
    return std::move(right).error().with_context("Docker-Content-Digest contradicts the bytes");
  }
  return *stated;
}

}  // namespace

std::optional<Digest> stated_digest(const http::Response& response) {
  const std::string* header = response.headers.find("Docker-Content-Digest");
  if (header == nullptr) return std::nullopt;
  auto digest = Digest::parse(text::trim(*header));
  if (!digest || !digest->is_verifiable()) return std::nullopt;
  return *std::move(digest);
}

std::string media_type_of(const std::string& raw) {
  const auto document = json::Document::parse(raw, {.bytes = oci::kManifestLimit, .depth = 64});
  if (!document) return {};
  const json::Value root = document->root();
  if (auto type = root.string_or_empty("mediaType"); type && !type->empty()) return *type;
  if (root.find("manifests")) return std::string(oci::media::kImageIndex);
  if (root.find("layers")) return std::string(oci::media::kImageManifest);
  if (root.find("signatures")) return std::string(oci::media::kDockerSchema1Signed);
  if (root.find("fsLayers")) return std::string(oci::media::kDockerSchema1);
  return {};
}

Result<Client::Impl::Target> Client::Impl::target(const std::string& repository,
                                                  const std::string& reference) const {
  TRY(check_repository(repository));
  if (oci::is_tag(reference)) return Target{repository, reference, std::nullopt};
  auto digest = Digest::parse(reference);
  if (digest && !digest->is_verifiable()) {
    return Error(Errc::unsupported,
                 fmt::format("{}/{}@{}: berth cannot compute digests of this algorithm", name(),
                             repository, reference));
  }
  if (digest) return Target{repository, reference, *std::move(digest)};
  if (digest.error().code() == Errc::unsupported) return std::move(digest).error();
  return Error(Errc::invalid_argument,
               fmt::format("'{}' is neither a tag nor a digest of {}/{}",
                           text::escape_for_terminal(reference), name(), repository));
}

Endpoints::For Client::Impl::purpose(const Target& asked) const noexcept {
  return asked.digest ? Endpoints::For::pull : Endpoints::For::resolve;
}

Call Client::Impl::manifest_call(const char* method, const Target& asked) const {
  Call call{.method = method,
            .path = asked.repository + "/manifests/" + asked.reference,
            .headers = {},
            .scopes = auth::Scopes::pull(asked.repository),
            .repository = asked.repository,
            .operation = fmt::format("manifest of {}", object(asked.repository, asked.reference))};
  call.headers.add("Accept", std::string(oci::accept_manifests()));
  return call;
}

Result<std::optional<ManifestHead>> Client::Impl::try_head(const Endpoint& endpoint,
                                                           const Target& asked,
                                                           const Context& context) {
  const std::string origin = endpoint.base.origin().text();
  constexpr auto ask_by_get = std::nullopt;
  if (learned.lacks_head(origin)) return ask_by_get;
  const Call call = manifest_call("HEAD", asked);
  auto response = TRY(endpoints.send(endpoint, call, context));
  if (quirks::means(quirks::Meaning::head_not_offered, response.status, "")) {
    learned.no_head(origin);
    return ask_by_get;
  }
  if (response.status != 200) return endpoints.refusal(endpoint, call, response, context);
  const auto size = response.content_length();
  const auto digest = stated_digest(response);
  std::string type = stated_type(response);
  if (!size || !digest || type.empty()) return ask_by_get;
  // A HEAD by digest proves nothing, but one that names another digest is worth no belief at all.
  if (asked.digest && digest->algorithm() == asked.digest->algorithm() &&
      *digest != *asked.digest) {
    return ask_by_get;
  }
  ManifestHead head{asked.digest.value_or(*digest), *size, std::move(type), {}};
  if (const std::string* etag = response.headers.find("ETag")) head.etag = *etag;
  learned.head_said(origin, head.digest.text(), head.size);
  return std::optional(std::move(head));
}

Result<Client::RawManifest> Client::Impl::fetch_manifest(const Endpoint& endpoint,
                                                         const Target& asked,
                                                         const Context& context) {
  const Call call = manifest_call("GET", asked);
  auto response = TRY(endpoints.send(endpoint, call, context));
  if (response.status != 200) return endpoints.refusal(endpoint, call, response, context);
  auto raw = http::read_all(*response.body, oci::kManifestLimit, context);
  if (!raw) return std::move(raw).error().with_context(call.operation);
  std::string type = stated_type(response);
  auto digest = check_bytes(*raw, type, asked.digest, response);
  if (!digest) return std::move(digest).error().with_context(call.operation);
  learned.get_showed(endpoint.base.origin().text(), digest->text(), raw->size());
  if (type.empty()) type = media_type_of(*raw);
  return RawManifest{*std::move(raw), std::move(type), *std::move(digest)};
}

Result<Client::RawManifest> Client::Impl::get_raw(const Target& asked, const Context& context) {
  return endpoints.first_of<RawManifest>(purpose(asked), context, [&](const Endpoint& endpoint) {
    return fetch_manifest(endpoint, asked, context);
  });
}

Result<ManifestHead> Client::head_manifest(const std::string& repository,
                                           const std::string& reference, const Context& context) {
  const auto asked = TRY(impl_->target(repository, reference));
  return impl_->endpoints.first_of<ManifestHead>(
      impl_->purpose(asked), context, [&](const Endpoint& endpoint) -> Result<ManifestHead> {
        auto head = TRY(impl_->try_head(endpoint, asked, context));
        if (head) return *std::move(head);
        auto manifest = TRY(impl_->fetch_manifest(endpoint, asked, context));
        return ManifestHead{
            std::move(manifest.digest), manifest.raw.size(), std::move(manifest.media_type), {}};
      });
}

Result<Client::RawManifest> Client::get_raw_manifest(const std::string& repository,
                                                     const std::string& reference,
                                                     const Context& context) {
  const auto asked = TRY(impl_->target(repository, reference));
  return impl_->get_raw(asked, context);
}

Result<oci::ManifestDocument> Client::get_manifest(const std::string& repository,
                                                   const std::string& reference,
                                                   const Context& context) {
  auto raw = TRY(get_raw_manifest(repository, reference, context));
  auto document = oci::parse_manifest(std::move(raw.raw), raw.media_type, raw.digest);
  if (document) return document;
  return std::move(document).error().with_context(
      fmt::format("manifest of {}", impl_->object(repository, reference)));
}

}  // namespace berth::registry
