// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "berth/base/bytes.hpp"
#include "berth/base/result.hpp"
#include "berth/digest/digest.hpp"
#include "berth/oci/platform.hpp"

namespace berth::oci {

using Annotations = std::vector<std::pair<std::string, std::string>>;
/// nullptr when absent.
const std::string* find_annotation(const Annotations& annotations, std::string_view key);

namespace annotation {
inline constexpr std::string_view kTitle = "org.opencontainers.image.title";
inline constexpr std::string_view kCreated = "org.opencontainers.image.created";
inline constexpr std::string_view kRefName = "org.opencontainers.image.ref.name";
/// The full name, in layouts that containerd writes: its ref.name is the tag alone.
inline constexpr std::string_view kContainerdName = "io.containerd.image.name";
}  // namespace annotation

/// image-spec "descriptor.md".
struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
  std::string artifact_type;
  Annotations annotations;
  std::optional<Platform> platform;
  std::vector<std::string> urls;  ///< never fetched with credentials, and not by default at all
};

/// image-spec "manifest.md", and Docker schema 2.
struct Manifest {
  Descriptor config;
  std::vector<Descriptor> layers;
  std::optional<Descriptor> subject;
  std::string artifact_type;  ///< as stated; see artifact_type_of
  Annotations annotations;
};

/// image-spec "image-index.md", and Docker's manifest list.
struct Index {
  std::vector<Descriptor> manifests;
  std::optional<Descriptor> subject;
  std::string artifact_type;
  Annotations annotations;
};

/// The exact bytes of a manifest beside what they say.
struct ManifestDocument {
  std::string raw;
  std::string media_type;
  Digest digest;
  std::variant<Manifest, Index> content;

  const Manifest* manifest() const noexcept { return std::get_if<Manifest>(&content); }
  const Index* index() const noexcept { return std::get_if<Index>(&content); }
  const Annotations& annotations() const noexcept;
  const std::optional<Descriptor>& subject() const noexcept;
  /// artifactType, else the config's media type (distribution-spec, "Listing Referrers").
  std::string artifact_type() const;
  /// Its own descriptor.
  Descriptor descriptor() const;
};

/// Reads a manifest. `content_type` is what the transport said ("" when it said nothing or
/// application/octet-stream and the like): where the document names its own mediaType both must
/// agree. `digest` is verified against the bytes before anything is parsed; when absent it is
/// computed (sha256). Errors: digest_mismatch; unsupported for schema 1, which is named, and for
/// unknown types; corrupt, with the reason, for the shape of both a manifest and an index,
/// duplicate keys, sizes that overflow or are negative, broken digests or media types, absurd
/// depth; too_large over the limit.
Result<ManifestDocument> parse_manifest(std::string raw, std::string_view content_type,
                                        const std::optional<Digest>& digest);

/// The text of a manifest of this type (an image manifest of OCI or Docker schema 2), or of an
/// index: compact JSON in the order of image-spec. Two texts of one content may differ: whoever
/// needs its digest keeps the text.
std::string write_manifest(const Manifest& manifest, std::string_view media_type);
std::string write_index(const Index& index, std::string_view media_type);

/// At most this many bytes of one manifest or index are read: distribution-spec asks for 4 MiB to
/// work; peers allow up to 8 MiB.
inline constexpr std::size_t kManifestLimit = 8 * 1024 * 1024;
/// Descriptors in one manifest or index.
inline constexpr std::size_t kDescriptorLimit = 20'000;

}  // namespace berth::oci
