// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "berth/acr/options.hpp"
#include "berth/oci/manifest.hpp"
#include "berth/registry/upload.hpp"

namespace berth::acr {

class Core;

struct UploadBlobOptions : OperationOptions {
  /// Way and size of chunks, the digest that is promised, a repository to mount from, progress.
  registry::UploadOptions upload{};
};

struct UploadBlobResult {
  Digest digest;
  /// Of the blob. 0 too for a stream that does not say its size and was mounted, where the registry
  /// does not tell it (HEAD).
  std::uint64_t size_in_bytes = 0;
  /// Sent, or mounted, or there already.
  registry::Uploaded::How how = registry::Uploaded::How::sent;
};

struct DownloadBlobOptions : OperationOptions {
  std::uint64_t offset = 0;               ///< bytes; a range is not verified: it has no digest
  std::optional<std::uint64_t> length{};  ///< bytes; not set: to the end
  /// Bytes of what was asked for, so far and in all. In the thread that reads.
  std::function<void(std::uint64_t got, std::uint64_t total)> progress{};
};

struct DownloadBlobResult {
  Digest digest;
  std::uint64_t size_in_bytes = 0;  ///< of the whole blob
  /// Bytes as they arrive; taken up by Range when the connection breaks. Of a whole blob the last
  /// ones come only once the digest was found right: Errc::digest_mismatch else. It shares the
  /// client's connections and may outlive the client; one thread reads it. A Context that ends in a
  /// read ends that read alone where it was a deadline, and the download where it was stopped.
  std::unique_ptr<http::Body> content;
};

struct SetManifestOptions : OperationOptions {
  std::string tag{};  ///< "": by digest alone
  /// "": what the text says itself, or an OCI image manifest where it says nothing.
  std::string media_type{};
};

struct SetManifestResult {
  Digest digest;
};

struct GetManifestResult {
  Digest digest;
  std::string media_type;
  std::string content;  ///< the exact bytes
  /// What they say; of types that berth does not read (Docker schema 1) nothing.
  std::variant<std::monostate, oci::Manifest, oci::Index> parsed;

  const oci::Manifest* manifest() const noexcept { return std::get_if<oci::Manifest>(&parsed); }
  const oci::Index* index() const noexcept { return std::get_if<oci::Index>(&parsed); }
};

/// Manifests and blobs of one repository, of any registry that speaks distribution-spec 1.1:
/// ContainerRegistryContentClient of the official SDKs. A value that shares its connections with
/// its copies; thread safe; blocking: all it does and calls is in the caller's thread. Sizes and
/// offsets are bytes. Errors as in client.hpp, and digest_mismatch, an ordinary one, wherever bytes
/// are not what they were promised to be.
class ContainerRegistryContentClient {
 public:
  /// `endpoint` as of ContainerRegistryClient::create. Asks nobody.
  static Result<ContainerRegistryContentClient> create(std::string_view endpoint,
                                                       std::string repository_name,
                                                       ContainerRegistryClientOptions options = {});

  const std::string& endpoint() const noexcept;
  const std::string& repository_name() const noexcept { return repository_; }

  /// In one stream, hashed as it goes; see registry::Client::push_blob. Whether the registry has it
  /// already is asked (HEAD) only where the digest is known before the first byte goes out:
  /// UploadOptions::digest, or hash_first.
  Result<UploadBlobResult> upload_blob(registry::BlobSource& source, const Context& context,
                                       const UploadBlobOptions& options = {}) const;
  Result<UploadBlobResult> upload_blob(ByteView bytes, const Context& context,
                                       const UploadBlobOptions& options = {}) const;
  Result<UploadBlobResult> upload_blob_from(const std::filesystem::path& file,
                                            const Context& context,
                                            const UploadBlobOptions& options = {}) const;

  Result<DownloadBlobResult> download_blob(const Digest& digest, const Context& context,
                                           const DownloadBlobOptions& options = {}) const;
  /// To a file that appears complete and verified, or not at all (0644). Gives its size. Over one
  /// connection; content::copy_to_file fetches what is large and comes slowly over several, through
  /// a cache (content::make_registry_source).
  Result<std::uint64_t> download_blob_to(const Digest& digest, const std::filesystem::path& file,
                                         const Context& context,
                                         const DownloadBlobOptions& options = {}) const;
  Result<bool> blob_exists(const Digest& digest, const Context& context,
                           const OperationOptions& options = {}) const;

  /// The bytes as they are; the digest is computed here and compared with the registry's.
  Result<SetManifestResult> set_manifest(std::string_view text, const Context& context,
                                         const SetManifestOptions& options = {}) const;
  Result<SetManifestResult> set_manifest(const oci::Manifest& manifest, const Context& context,
                                         const SetManifestOptions& options = {}) const;
  Result<SetManifestResult> set_manifest(const oci::Index& index, const Context& context,
                                         const SetManifestOptions& options = {}) const;

  /// Verified: by digest against it, by tag against what the registry says of it.
  Result<GetManifestResult> get_manifest(const std::string& tag_or_digest, const Context& context,
                                         const OperationOptions& options = {}) const;

  /// What refers to a manifest; `artifact_type`: those of this type alone.
  Result<std::vector<oci::Descriptor>> list_referrers(const Digest& digest, const Context& context,
                                                      const std::string& artifact_type = {},
                                                      const OperationOptions& options = {}) const;

  Result<void> delete_blob(const Digest& digest, const Context& context,
                           const DeleteOptions& options = {}) const;
  /// With all its tags.
  Result<void> delete_manifest(const Digest& digest, const Context& context,
                               const DeleteOptions& options = {}) const;

 private:
  friend class ContainerRegistryClient;
  ContainerRegistryContentClient(std::shared_ptr<Core> core, std::string repository)
      : core_(std::move(core)),
        repository_(std::move(repository)) {}
  std::shared_ptr<Core> core_;
  std::string repository_;
};

}  // namespace berth::acr
