// SPDX-License-Identifier: Apache-2.0
#include "berth/acr/content_client.hpp"

#include <utility>

#include <fmt/format.h>

#include "berth/base/atomic_file.hpp"
#include "berth/base/try.hpp"
#include "berth/oci/media_type.hpp"

#include "acr/requests.hpp"
#include "acr/verified_body.hpp"

namespace berth::acr {

Result<ContainerRegistryContentClient> ContainerRegistryContentClient::create(
    std::string_view endpoint, std::string repository_name,
    ContainerRegistryClientOptions options) {
  TRY(check_repository_name(repository_name));
  auto core = TRY(Core::make(endpoint, std::move(options)));
  return ContainerRegistryContentClient(std::move(core), std::move(repository_name));
}

const std::string& ContainerRegistryContentClient::endpoint() const noexcept {
  return core_->endpoint();
}

// --- Blobs.

Result<UploadBlobResult> ContainerRegistryContentClient::upload_blob(
    registry::BlobSource& source, const Context& context, const UploadBlobOptions& options) const {
  const auto scope = TRY(core_->dress(options));
  const auto done = TRY(core_->registry().push_blob(repository_, source, options.upload, context));
  return UploadBlobResult{done.digest, done.size, done.how};
}

Result<UploadBlobResult> ContainerRegistryContentClient::upload_blob(
    ByteView bytes, const Context& context, const UploadBlobOptions& options) const {
  const auto source = registry::blob_of_bytes(bytes);
  return upload_blob(*source, context, options);
}

Result<UploadBlobResult> ContainerRegistryContentClient::upload_blob_from(
    const std::filesystem::path& file, const Context& context,
    const UploadBlobOptions& options) const {
  const auto source = TRY(registry::blob_of_file(file));
  return upload_blob(*source, context, options);
}

Result<DownloadBlobResult> ContainerRegistryContentClient::download_blob(
    const Digest& digest, const Context& context, const DownloadBlobOptions& options) const {
  const auto scope = TRY(core_->dress(options));
  auto stream =
      TRY(core_->registry().get_blob(repository_, digest, options.offset, options.length, context));
  const bool whole = options.offset == 0 && stream.length == stream.total;
  const std::uint64_t total = stream.total;
  const std::string object =
      fmt::format("blob of {}/{}@{}", core_->name(), repository_, digest.text());
  auto body = make_verified_body({.core = core_,
                                  .stream = std::move(stream),
                                  .digest = digest,
                                  .whole = whole,
                                  .operation = object,
                                  .options = options});
  if (!body) return std::move(body).error();
  return DownloadBlobResult{digest, total, *std::move(body)};
}

Result<std::uint64_t> ContainerRegistryContentClient::download_blob_to(
    const Digest& digest, const std::filesystem::path& file, const Context& context,
    const DownloadBlobOptions& options) const {
  auto result = TRY(download_blob(digest, context, options));
  AtomicFile target = TRY(AtomicFile::create(file, 0644));
  std::uint64_t size = 0;
  for (;;) {
    const ByteView bytes = TRY(result.content->next(context));
    if (bytes.empty()) break;
    TRY(target.write(bytes));
    size += bytes.size();
  }
  TRY(target.commit());
  return size;
}

Result<bool> ContainerRegistryContentClient::blob_exists(const Digest& digest,
                                                         const Context& context,
                                                         const OperationOptions& options) const {
  const auto scope = TRY(core_->dress(options));
  const auto head = core_->registry().head_blob(repository_, digest, context);
  if (head) return true;
  if (head.error().code() == Errc::not_found) return false;
  return head.error();
}

Result<void> ContainerRegistryContentClient::delete_blob(const Digest& digest,
                                                         const Context& context,
                                                         const DeleteOptions& options) const {
  return requests::remove_blob(*core_, repository_, digest, options, context);
}

// --- Manifests.

Result<SetManifestResult> ContainerRegistryContentClient::set_manifest(
    std::string_view text, const Context& context, const SetManifestOptions& options) const {
  if (!options.tag.empty()) TRY(check_tag(options.tag));
  const auto scope = TRY(core_->dress(options));
  const std::string content(text);
  std::string type = options.media_type;
  if (type.empty()) type = registry::media_type_of(content);
  if (type.empty()) type = oci::media::kImageManifest;
  const auto pushed =
      TRY(core_->registry().put_manifest(repository_, options.tag, content, type, context));
  return SetManifestResult{pushed.digest};
}

Result<SetManifestResult> ContainerRegistryContentClient::set_manifest(
    const oci::Manifest& manifest, const Context& context,
    const SetManifestOptions& options) const {
  SetManifestOptions typed = options;
  if (typed.media_type.empty()) typed.media_type = oci::media::kImageManifest;
  return set_manifest(oci::write_manifest(manifest, typed.media_type), context, typed);
}

Result<SetManifestResult> ContainerRegistryContentClient::set_manifest(
    const oci::Index& index, const Context& context, const SetManifestOptions& options) const {
  SetManifestOptions typed = options;
  if (typed.media_type.empty()) typed.media_type = oci::media::kImageIndex;
  return set_manifest(oci::write_index(index, typed.media_type), context, typed);
}

Result<GetManifestResult> ContainerRegistryContentClient::get_manifest(
    const std::string& tag_or_digest, const Context& context,
    const OperationOptions& options) const {
  const auto scope = TRY(core_->dress(options));
  auto raw = TRY(core_->registry().get_raw_manifest(repository_, tag_or_digest, context));
  GetManifestResult result{.digest = raw.digest,
                           .media_type = raw.media_type,
                           .content = std::move(raw.raw),
                           .parsed = {}};
  auto document = oci::parse_manifest(result.content, result.media_type, result.digest);
  if (!document) {
    if (document.error().code() == Errc::unsupported) return result;
    return std::move(document).error().with_context(
        fmt::format("manifest of {}/{}:{}", core_->name(), repository_, tag_or_digest));
  }
  std::visit([&](auto& content) { result.parsed = std::move(content); }, document->content);
  return result;
}

Result<std::vector<oci::Descriptor>> ContainerRegistryContentClient::list_referrers(
    const Digest& digest, const Context& context, const std::string& artifact_type,
    const OperationOptions& options) const {
  const auto scope = TRY(core_->dress(options));
  return core_->registry().referrers(repository_, digest, context, artifact_type);
}

Result<void> ContainerRegistryContentClient::delete_manifest(const Digest& digest,
                                                             const Context& context,
                                                             const DeleteOptions& options) const {
  return requests::remove_manifest(*core_, repository_, digest, options, context);
}

}  // namespace berth::acr
