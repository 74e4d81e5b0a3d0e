// SPDX-License-Identifier: Apache-2.0
#include "managed.hpp"

#include "berth/base/try.hpp"
#include "berth/oci/reference.hpp"

namespace berth::cli {

std::string Managed::text() const {
  std::string out = registry;
  if (!repository.empty()) out += "/" + repository;
  if (!tag.empty()) out += ":" + tag;
  if (digest) out += "@" + digest->text();
  return out;
}

Result<Managed> find_managed(const std::string& text, Workspace& workspace) {
  const Place place = TRY(parse_place(text));
  if (place.kind != Place::Kind::registry) {
    return Error(
        Errc::invalid_argument,
        "'" + text + "' is no place of a registry: write R, R/a, R/a:v1 or R/a@sha256:...");
  }
  Managed found;
  found.registry = place.registry;
  if (!place.inside.empty()) {
    std::string name = text;
    while (name.ends_with('/')) name.pop_back();
    const auto reference = TRY(oci::Reference::parse(name));
    found.repository = reference.repository;
    found.tag = reference.tag.value_or("");
    found.digest = reference.digest;
  }
  content::Hub* hub = TRY(workspace.hub());
  const auto source = TRY(hub->source(found.registry));
  found.management = source->management();
  if (found.management == nullptr) {
    // Not known beforehand: its answer to a question that anybody may ask tells.
    const auto asked = found.repository.empty()
                           ? source->list_repositories("", workspace.context())
                           : source->list_tags(found.repository, "", workspace.context());
    found.management = source->management();
    if (found.management == nullptr && !asked && asked.error().code() != Errc::not_found &&
        asked.error().code() != Errc::unsupported) {
      return asked.error();
    }
  }
  if (found.management == nullptr) return content::no_properties(*source);
  return found;
}

}  // namespace berth::cli
