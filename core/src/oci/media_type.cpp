// SPDX-License-Identifier: Apache-2.0
#include "berth/oci/media_type.hpp"

#include <algorithm>
#include <array>

#include "berth/base/text.hpp"

namespace berth::oci {
namespace {

/// RFC 6838, section 4.2: restricted-name.
bool is_restricted_name(std::string_view text) noexcept {
  const auto is_alphanumeric = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  constexpr std::string_view kOthers = "!#$&-^_.+";
  return !text.empty() && text.size() <= 127 && is_alphanumeric(text[0]) &&
         std::ranges::all_of(text, [&](char c) {
           return is_alphanumeric(c) || kOthers.find(c) != std::string_view::npos;
         });
}

}  // namespace

std::string_view accept_manifests() noexcept {
  // Schema 1 comes last and least: without it, some registries convert or answer 404, and then
  // nobody could say what the matter is.
  static const std::string accept = [] {
    std::string list;
    for (const auto type :
         {media::kImageManifest, media::kImageIndex, media::kDockerManifest, media::kDockerList}) {
      list.append(type).append(", ");
    }
    for (const auto type : {media::kOciArtifact, media::kOrasArtifact}) {
      list.append(type).append(";q=0.7, ");
    }
    list.append(media::kDockerSchema1Signed).append(";q=0.5, ");
    list.append(media::kDockerSchema1).append(";q=0.5");
    return list;
  }();
  return accept;
}

bool is_media_type(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && is_restricted_name(text.substr(0, slash)) &&
         is_restricted_name(text.substr(slash + 1));
}

std::string without_parameters(std::string_view content_type) {
  return text::to_lower(text::trim(content_type.substr(0, content_type.find(';'))));
}

bool is_manifest(std::string_view media_type) noexcept {
  return media_type == media::kImageManifest || media_type == media::kDockerManifest;
}

bool is_index(std::string_view media_type) noexcept {
  return media_type == media::kImageIndex || media_type == media::kDockerList;
}

bool is_early_artifact(std::string_view media_type) noexcept {
  return media_type == media::kOciArtifact || media_type == media::kOrasArtifact;
}

bool is_schema1(std::string_view media_type) noexcept {
  return media_type == media::kDockerSchema1 || media_type == media::kDockerSchema1Signed;
}

bool is_generic(std::string_view media_type) noexcept {
  constexpr std::array<std::string_view, 8> kGeneric = {
      "",
      "text/plain",
      "text/html",
      "text/json",
      "application/json",
      "application/octet-stream",
      "binary/octet-stream",
      "application/x-www-form-urlencoded",
  };
  return std::ranges::find(kGeneric, media_type) != kGeneric.end();
}

std::string_view file_extension(std::string_view media_type) noexcept {
  const auto ends = [&](std::string_view suffix) { return media_type.ends_with(suffix); };
  if (ends("tar+gzip") || ends(".tar.gzip")) return ".tar.gz";
  if (ends("tar+zstd") || ends(".tar.zstd")) return ".tar.zst";
  if (ends(".tar") || media_type == "application/x-tar") return ".tar";
  if (ends("+json") || media_type == "application/json") return ".json";
  return "";
}

}  // namespace berth::oci
