// SPDX-License-Identifier: Apache-2.0
#include "place.hpp"

#include "berth/base/text.hpp"
#include "berth/oci/reference.hpp"

#include "wrong_use.hpp"

namespace berth::cli {

namespace {

constexpr std::string_view kLayout = "oci:";

bool is_local(std::string_view text) {
  return text == "-" || text == "." || text == ".." || text.starts_with('/') ||
         text.starts_with("./") || text.starts_with("../");
}

/// DIR, DIR:TAG, DIR/INSIDE or DIR:TAG/INSIDE: the longest prefix that is a folder with an
/// oci-layout file is DIR.
Result<Place> parse_layout(std::string_view text) {
  const std::string_view rest = text.substr(kLayout.size());
  if (rest.empty())
    return Error{Errc::invalid_argument, "'oci:' names no folder: write oci:DIR or oci:DIR:TAG"};
  std::error_code ignored;
  for (std::size_t end = rest.size(); end > 0; --end) {
    if (end != rest.size() && rest[end] != '/' && rest[end] != ':') continue;
    const std::filesystem::path folder(rest.substr(0, end));
    if (!std::filesystem::exists(folder / "oci-layout", ignored)) continue;
    std::string_view inside = rest.substr(end);
    if (!inside.empty()) inside.remove_prefix(1);
    return Place{.kind = Place::Kind::layout,
                 .text = std::string(text),
                 .path = folder,
                 .inside = std::string(inside)};
  }
  return Error{
      Errc::not_found,
      std::string(text) + ": no OCI image layout there (no folder with a file oci-layout)"};
}

}  // namespace

Result<Place> parse_place(std::string_view text) {
  Place place{.text = std::string(text)};
  if (is_local(text)) {
    place.path = text;
    place.is_standard_stream = text == "-";
    return place;
  }
  if (text.starts_with("oci-archive:")) {
    return Error{Errc::unsupported,
                 std::string(text) + ": archives cannot be read yet; unpack it and use oci:DIR"};
  }
  if (text.starts_with(kLayout)) return parse_layout(text);
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
  const std::string_view rest = text.substr(kLayout.size());
  const auto colon = rest.rfind(':');
  const bool has_tag =
      colon != std::string_view::npos && rest.find('/', colon) == std::string_view::npos;
  LayoutTarget target{.folder = std::filesystem::path(has_tag ? rest.substr(0, colon) : rest),
                      .tag = has_tag ? std::string(rest.substr(colon + 1)) : std::string{}};
  if (target.folder.empty()) {
    return Error{Errc::invalid_argument,
                 "'" + std::string(text) + "' names no folder: write oci:DIR or oci:DIR:TAG"};
  }
  if (has_tag && !oci::is_tag(target.tag)) {
    return Error{Errc::invalid_argument,
                 "'" + target.tag + "' is no tag: letters, digits, '_', '.', '-', at most 128"};
  }
  return target;
}

}  // namespace berth::cli
