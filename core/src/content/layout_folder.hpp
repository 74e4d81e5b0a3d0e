// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "berth/oci/manifest.hpp"

namespace berth::content {

/// The names inside an OCI image layout (image-spec "image-layout.md").
std::filesystem::path layout_blob(const std::filesystem::path& layout, const Digest& digest);
std::filesystem::path layout_index(const std::filesystem::path& layout);
std::filesystem::path layout_marker(const std::filesystem::path& layout);

/// Is `layout` one that berth can read? Errc::not_found, unsupported (another version), corrupt.
Result<void> check_layout(const std::filesystem::path& layout);
/// The descriptors of index.json. Errc::not_found, corrupt.
Result<std::vector<oci::Descriptor>> read_layout_index(const std::filesystem::path& layout);

/// The bytes of a manifest in a layout, verified, and its media type: `media_type` where that is
/// known, else what the document says of itself. Errc::not_found, digest_mismatch, too_large.
struct LayoutManifest {
  std::string raw;
  std::string media_type;
};
Result<LayoutManifest> read_layout_manifest(const std::filesystem::path& layout,
                                            const Digest& digest, std::string media_type);

}  // namespace berth::content
