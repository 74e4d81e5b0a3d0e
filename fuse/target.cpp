// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "berth/base/try.hpp"
#include "berth/oci/reference.hpp"

#include "options.hpp"

namespace berth::fuse {
namespace {

using Kind = tree::Root::Kind;

constexpr std::string_view kLayout = "oci:";

Error wrong(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

Result<Target> layout_target(std::string_view text) {
  std::string_view folder = text.substr(kLayout.size());
  if (folder.empty())
    return wrong("oci: needs the folder of an OCI image layout: oci:DIR[:TAG|@DIGEST]");
  Target target{.kind = Kind::layout, .text = std::string(text)};
  // A folder's name may hold a colon, too: the layout that is there decides, as for berth.
  std::error_code ignored;
  bool whole = std::filesystem::exists(std::filesystem::path(folder) / "oci-layout", ignored);
  const std::size_t at = folder.rfind('@');
  if (const auto digest = Digest::parse(at == std::string_view::npos ? "" : folder.substr(at + 1));
      digest && !whole) {
    target.kind = Kind::manifest;
    target.reference = digest->text();
    folder = folder.substr(0, at);
    whole = std::filesystem::exists(std::filesystem::path(folder) / "oci-layout", ignored);
  }
  const std::size_t colon = folder.rfind(':');
  if (colon != std::string_view::npos && oci::is_tag(folder.substr(colon + 1)) && !whole) {
    target.kind = Kind::manifest;
    // Of DIR:TAG@DIGEST the digest counts.
    if (target.reference.empty()) target.reference = folder.substr(colon + 1);
    folder = folder.substr(0, colon);
  }
  target.layout = std::filesystem::absolute(folder).lexically_normal();
  return target;
}

}  // namespace

Result<Target> parse_target(std::string_view text) {
  if (text.empty() || text == "all" || text == "none" || text == "berth") return Target{};
  if (text.starts_with(kLayout)) return layout_target(text);
  std::string_view place = text;
  for (const std::string_view scheme : {"https://", "http://", "docker://"}) {
    if (place.starts_with(scheme)) {
      return wrong(
          fmt::format("{} is no part of a target: name the registry alone, as in "
                      "registry.example.com/repository",
                      scheme));
    }
  }
  while (place.ends_with('/')) place.remove_suffix(1);
  const std::string_view registry = place.substr(0, place.find('/'));
  // Not repeated in the message: it would be a password.
  if (registry.contains('@')) {
    return wrong(
        "a target holds no user name or password: run `docker login`, or name a file of "
        "credentials by -o authfile=");
  }
  if (!oci::looks_like_registry(registry)) {
    return wrong(
        fmt::format("'{}' names no registry: one has a dot or a port, or is localhost; "
                    "say oci:DIR for a folder, all for every registry",
                    text));
  }
  Target target{
      .kind = Kind::registry, .registry = std::string(registry), .text = std::string(place)};
  if (registry.size() == place.size()) return target;
  const oci::Reference reference = TRY(oci::Reference::parse(place));
  target.kind = Kind::repository;
  target.repository = reference.repository;
  if (reference.digest) target.reference = reference.digest->text();
  if (!reference.digest && reference.tag) target.reference = *reference.tag;
  if (!target.reference.empty()) target.kind = Kind::manifest;
  return target;
}

}  // namespace berth::fuse
