// SPDX-License-Identifier: Apache-2.0
#include "place.hpp"

#include "berth/base/text.hpp"
#include "berth/oci/reference.hpp"

#include "wrong_use.hpp"

namespace berth::cli {

namespace {

constexpr std::string_view kLayout = "oci:";
constexpr std::string_view kArchive = "oci-archive:";

bool is_local(std::string_view text) {
  return text == "-" || text == "." || text == ".." || text.starts_with('/') ||
         text.starts_with("./") || text.starts_with("../");
}

/// "@sha256:HEX/NAME" and "TAG@sha256:HEX/NAME" as the path in the tree: of both the digest counts.
/// Anything else as it stands.
std::string path_of_digest(std::string_view inside) {
  const std::string_view first = inside.substr(0, inside.find('/'));
  const auto at = first.find('@');
  if (at == std::string_view::npos) return std::string(inside);
  const auto digest = Digest::parse(first.substr(at + 1));
  if (!digest || (at > 0 && !oci::is_tag(first.substr(0, at)))) return std::string(inside);
  return ".manifests/" + std::string(digest->algorithm_name()) + "/" + std::string(digest->hex()) +
         std::string(inside.substr(first.size()));
}

/// DIR, DIR:TAG or DIR@DIGEST, with /INSIDE or without, and the same with a file: the longest
/// prefix that is there is DIR.
Result<Place> parse_kept(std::string_view text, std::string_view prefix, Place::Kind kind) {
  const bool archive = kind == Place::Kind::archive;
  const std::string_view rest = text.substr(prefix.size());
  if (rest.empty()) {
    return Error{Errc::invalid_argument, "'" + std::string(prefix) + "' names no " +
                                             (archive ? "file: write oci-archive:FILE"
                                                      : "folder: write oci:DIR or oci:DIR:TAG")};
  }
  std::error_code ignored;
  for (std::size_t end = rest.size(); end > 0; --end) {
    if (end != rest.size() && std::string_view("/:@").find(rest[end]) == std::string_view::npos) {
      continue;
    }
    const std::filesystem::path path(rest.substr(0, end));
    const bool there = archive ? std::filesystem::is_regular_file(path, ignored)
                               : std::filesystem::exists(path / "oci-layout", ignored);
    if (!there) continue;
    std::string_view inside = rest.substr(end);
    if (inside.starts_with('/') || inside.starts_with(':')) inside.remove_prefix(1);
    return Place{
        .kind = kind, .text = std::string(text), .path = path, .inside = path_of_digest(inside)};
  }
  return Error{Errc::not_found,
               std::string(text) +
                   (archive ? ": there is no such file"
                            : ": no OCI image layout there (no folder with a file oci-layout)")};
}

Result<LayoutTarget> parse_kept_target(std::string_view text, std::string_view prefix) {
  const std::string_view rest = text.substr(prefix.size());
  if (const auto at = rest.rfind('@');
      at != std::string_view::npos && Digest::parse(rest.substr(at + 1))) {
    return Error{Errc::invalid_argument,
                 std::string(text) + ": a digest follows from what is copied: name a tag, or none"};
  }
  const auto colon = rest.rfind(':');
  const bool has_tag =
      colon != std::string_view::npos && rest.find('/', colon) == std::string_view::npos;
  LayoutTarget target{.folder = std::filesystem::path(has_tag ? rest.substr(0, colon) : rest),
                      .tag = has_tag ? std::string(rest.substr(colon + 1)) : std::string{}};
  if (target.folder.empty()) {
    return Error{Errc::invalid_argument, "'" + std::string(text) + "' names no place: write " +
                                             std::string(prefix) + "PATH or " +
                                             std::string(prefix) + "PATH:TAG"};
  }
  if (has_tag && !oci::is_tag(target.tag)) {
    return Error{Errc::invalid_argument,
                 "'" + target.tag + "' is no tag: letters, digits, '_', '.', '-', at most 128"};
  }
  return target;
}

}  // namespace

Result<Place> parse_place(std::string_view text) {
  Place place{.text = std::string(text)};
  if (is_local(text)) {
    place.path = text;
    place.is_standard_stream = text == "-";
    return place;
  }
  if (text.starts_with(kArchive)) return parse_kept(text, kArchive, Place::Kind::archive);
  if (text.starts_with(kLayout)) return parse_kept(text, kLayout, Place::Kind::layout);
  if (text.find("://") != std::string_view::npos) return pasted_url(text);
  const std::string_view first = text.substr(0, text.find('/'));
  if (!oci::looks_like_registry(first)) {
    return Error{Errc::invalid_argument,
                 "'" + std::string(text) + "' is neither: a local path is written ./" +
                     std::string(text) + ", a place in a registry REGISTRY/" + std::string(text) +
                     " (as in docker.io/library/hello-world)"};
  }
  place.kind = Place::Kind::registry;
  place.registry = first;
  std::string_view inside = text.substr(first.size());
  while (inside.starts_with('/')) inside.remove_prefix(1);
  place.inside = inside;
  return place;
}

Result<LayoutTarget> parse_layout_target(std::string_view text) {
  return parse_kept_target(text, kLayout);
}

Result<LayoutTarget> parse_archive_target(std::string_view text) {
  return parse_kept_target(text, kArchive);
}

}  // namespace berth::cli
