// SPDX-License-Identifier: Apache-2.0
#include "content/layout_folder.hpp"

#include <fmt/core.h>

#include "berth/base/fd.hpp"
#include "berth/base/try.hpp"
#include "berth/digest/hasher.hpp"
#include "berth/json/value.hpp"
#include "berth/oci/layout.hpp"
#include "berth/oci/media_type.hpp"

namespace berth::content {
namespace {

/// An oci-layout file holds one short object.
constexpr std::size_t kMarkerLimit = 64 * 1024;

// A document says its own type, or its shape does; a document that berth cannot parse keeps what it
// says of itself.
std::string sniff_media_type(const std::string& raw, const Digest& digest) {
  if (auto parsed = oci::parse_manifest(raw, "", digest)) return parsed->media_type;
  auto document = json::Document::parse(raw);
  if (!document) return "";
  auto stated = document->root().string_or_empty("mediaType");
  return stated ? *stated : "";
}

}  // namespace

std::filesystem::path layout_blob(const std::filesystem::path& layout, const Digest& digest) {
  return layout / "blobs" / std::string(digest.algorithm_name()) / std::string(digest.hex());
}

std::filesystem::path layout_index(const std::filesystem::path& layout) {
  return layout / "index.json";
}

std::filesystem::path layout_marker(const std::filesystem::path& layout) {
  return layout / "oci-layout";
}

Result<void> check_layout(const std::filesystem::path& layout) {
  auto text = read_file(layout_marker(layout), kMarkerLimit);
  if (!text && text.error().code() == Errc::not_found) {
    return Error(
        Errc::not_found,
        fmt::format("'{}' is not an OCI image layout: it has no oci-layout file", layout.string()));
  }
  if (!text) return std::move(text).error();
  auto checked = oci::check_layout_file(*text);
  if (!checked) return std::move(checked).error().with_context(layout_marker(layout).string());
  return {};
}

Result<std::vector<oci::Descriptor>> read_layout_index(const std::filesystem::path& layout) {
  std::string text = TRY(read_file(layout_index(layout), oci::kManifestLimit));
  auto parsed = oci::parse_manifest(std::move(text), oci::media::kImageIndex, std::nullopt);
  if (!parsed) return std::move(parsed).error().with_context(layout_index(layout).string());
  if (parsed->index() == nullptr) {
    return Error(Errc::corrupt, layout_index(layout).string() + " is not an image index");
  }
  return parsed->index()->manifests;
}

Result<LayoutManifest> read_layout_manifest(const std::filesystem::path& layout,
                                            const Digest& digest, std::string media_type) {
  const std::filesystem::path path = layout_blob(layout, digest);
  std::string raw = TRY(read_file(path, oci::kManifestLimit));
  LayoutManifest manifest{std::move(raw), std::move(media_type)};
  if (auto right = verify(as_bytes(manifest.raw), digest); !right) {
    return std::move(right).error().with_context(path.string());
  }
  if (manifest.media_type.empty()) manifest.media_type = sniff_media_type(manifest.raw, digest);
  return manifest;
}

}  // namespace berth::content
