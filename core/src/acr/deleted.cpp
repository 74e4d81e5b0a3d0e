// SPDX-License-Identifier: Apache-2.0
#include "berth/acr/deleted.hpp"

#include <fmt/format.h>

#include "berth/acr/repository.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/json/writer.hpp"

#include "acr/parse.hpp"
#include "acr/requests.hpp"

namespace berth::acr {
namespace {

Listing deleted(const std::shared_ptr<Core>& core, const std::string& name, const char* what,
                std::string operation, const ListOptions& options, const Context& context) {
  return {.core = core,
          .call = {.target = Core::path({"_deleted", name, what}),
                   .scopes = repository_scopes(name, "deleted_read"),
                   .repository = name,
                   .operation = std::move(operation)},
          .options = options,
          .context = context};
}

Call restoring(const Core& core, const std::string& name, const Digest& digest,
               const RestoreOptions& options) {
  json::Node body = json::Node::object();
  body.set("tag", options.tag);
  return {.method = "POST",
          .target = Core::path({"_deleted", name, "_manifests", digest.text()}) +
                    Core::query({{"force", options.force ? "True" : "False"}}),
          .body = body.to_text(),
          .scopes = repository_scopes(name, "deleted_read,deleted_restore"),
          .repository = name,
          .operation = fmt::format("restoring {}/{}@{}", core.name(), name, digest.text()),
          .repeatable = false};
}

/// Told apart by when they were deleted; one whose time is not known is older than all others.
bool deleted_before(const DeletedTag& a, const DeletedTag& b) {
  return a.deleted_at < b.deleted_at;
}

}  // namespace

Paged<DeletedManifest> ContainerRepository::list_deleted_manifests(
    const Context& context, const ListOptions& options) const {
  return paged<DeletedManifest>(
      deleted(core_, name_, "_manifests",
              fmt::format("deleted manifests of {}/{}", core_->name(), name_), options, context),
      parse_deleted_manifests);
}

Paged<DeletedTag> ContainerRepository::list_deleted_tags(const Context& context,
                                                         const ListOptions& options) const {
  return paged<DeletedTag>(
      deleted(core_, name_, "_tags", fmt::format("deleted tags of {}/{}", core_->name(), name_),
              options, context),
      parse_deleted_tags);
}

Result<void> ContainerRepository::restore_manifest(const Digest& digest,
                                                   const RestoreOptions& restore,
                                                   const Context& context) const {
  if (!restore.tag.empty()) TRY(check_tag(restore.tag));
  TRY(core_->send(restoring(*core_, name_, digest, restore), restore, context));
  return {};
}

Result<Digest> ContainerRepository::restore_tag(const std::string& tag,
                                                const RestoreOptions& restore,
                                                const Context& context) const {
  TRY(check_tag(tag));
  const ListOptions listing{{.custom_headers = restore.custom_headers,
                             .client_request_id = restore.client_request_id,
                             .on_response = restore.on_response}};
  std::optional<DeletedTag> newest;
  auto candidates = list_deleted_tags(context, listing);
  for (Result<DeletedTag>& candidate : candidates) {
    if (!candidate) return std::move(candidate).error();
    if (candidate->name != tag) continue;
    if (!newest || deleted_before(*newest, *candidate)) newest = *std::move(candidate);
  }
  if (!newest) {
    return Error(Errc::not_found,
                 fmt::format("no deleted tag {}/{}:{} can be restored", core_->name(), name_, tag));
  }
  RestoreOptions with_tag = restore;
  with_tag.tag = tag;
  TRY(restore_manifest(newest->digest, with_tag, context));
  return newest->digest;
}

}  // namespace berth::acr
