// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "berth/digest/hasher.hpp"
#include "berth/oci/layout.hpp"
#include "berth/oci/media_type.hpp"

#include "fuzz/fuzz.hpp"

using berth::fuzz::require;
namespace oci = berth::oci;

namespace {

void check_descriptor(const oci::Descriptor& descriptor) {
  require(oci::is_media_type(oci::without_parameters(descriptor.media_type)));
  require(descriptor.size <= INT64_MAX);
  if (!descriptor.platform) return;
  const std::string name = descriptor.platform->file_name();
  require(!name.empty() && name.size() <= 255 && name[0] != '.');
  require(name.find('/') == std::string::npos && name.find('\0') == std::string::npos);
}

}  // namespace

/// The first byte is what the transport said, the rest the manifest.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::array<std::string_view, 6> kSaid = {
      "",
      oci::media::kImageManifest,
      oci::media::kImageIndex,
      oci::media::kDockerManifest,
      oci::media::kDockerList,
      "application/json; charset=utf-8",
  };
  if (size == 0) return 0;
  const std::string raw(berth::fuzz::as_text(data + 1, size - 1));
  const auto document = oci::parse_manifest(raw, kSaid[data[0] % kSaid.size()], std::nullopt);
  if (!document) return 0;
  require(document->raw == raw &&
          berth::verify(berth::as_bytes(raw), document->digest).has_value());
  require((document->manifest() != nullptr) == oci::is_manifest(document->media_type));
  require((document->index() != nullptr) == oci::is_index(document->media_type));
  (void)document->artifact_type();
  const auto& list =
      document->index() != nullptr ? document->index()->manifests : document->manifest()->layers;
  for (const oci::Descriptor& descriptor : list) check_descriptor(descriptor);
  // What was read can be written, and says the same.
  const auto again = oci::parse_manifest(oci::write_index(list), "", std::nullopt);
  require(again && again->index() != nullptr && again->index()->manifests.size() == list.size());
  return 0;
}
