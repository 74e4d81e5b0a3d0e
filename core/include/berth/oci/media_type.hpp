// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace berth::oci {

namespace media {
inline constexpr std::string_view kImageManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kImageIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kImageConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kEmpty = "application/vnd.oci.empty.v1+json";
inline constexpr std::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerList =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kDockerSchema1 =
    "application/vnd.docker.distribution.manifest.v1+json";
inline constexpr std::string_view kDockerSchema1Signed =
    "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// Artifacts from before OCI 1.1: registries still hold and serve them, nobody makes them any more.
inline constexpr std::string_view kOciArtifact = "application/vnd.oci.artifact.manifest.v1+json";
inline constexpr std::string_view kOrasArtifact =
    "application/vnd.cncf.oras.artifact.manifest.v1+json";
}  // namespace media

/// What a manifest may be asked for as: the value of Accept for manifest requests. Every type that
/// berth reads, and those that it gives as bytes only: early artifacts, and schema 1 so that it can
/// be named.
std::string_view accept_manifests() noexcept;

/// RFC 6838 restricted names, both parts; parameters are not allowed here.
bool is_media_type(std::string_view text) noexcept;
/// The type without parameters, trimmed and in lower case: of a Content-Type header.
std::string without_parameters(std::string_view content_type);

bool is_manifest(std::string_view media_type) noexcept;  ///< an image manifest of OCI or schema 2
bool is_index(std::string_view media_type) noexcept;     ///< an index or a manifest list
bool is_schema1(std::string_view media_type) noexcept;
bool is_early_artifact(std::string_view media_type) noexcept;  ///< kOciArtifact or kOrasArtifact
/// What a server or a proxy says that does not know what it sends: static registries and object
/// stores give such types to whatever they hold. The document itself is asked then.
bool is_generic(std::string_view media_type) noexcept;

/// What a file that holds a blob of this type is called: ".tar.gz", ".tar.zst", ".tar", ".json", ""
/// (unknown).
std::string_view file_extension(std::string_view media_type) noexcept;

}  // namespace berth::oci
