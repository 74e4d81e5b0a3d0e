// SPDX-License-Identifier: Apache-2.0
#include "acr/requests.hpp"

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

#include "acr/parse.hpp"

namespace berth::acr::requests {
namespace {

Call metadata(const Core& core, std::string target, const std::string& name,
              std::string operation) {
  return {.target = std::move(target) + Core::query({{"api-version", core.api_version()}}),
          .scopes = repository_scopes(name, "metadata_read"),
          .repository = name,
          .operation = std::move(operation)};
}

Call list(const std::string& name, std::string target, std::string operation) {
  return {.target = std::move(target),
          .scopes = repository_scopes(name, "metadata_read"),
          .repository = name,
          .operation = std::move(operation)};
}

/// What the repository itself says of how many there are.
std::function<Result<std::uint64_t>()> counter(
    const std::shared_ptr<Core>& core, const std::string& name, const OperationOptions& options,
    const Context& context, std::uint64_t ContainerRepositoryProperties::* which) {
  return [=]() -> Result<std::uint64_t> {
    const auto properties =
        TRY(ask(*core, repository(*core, name), parse_repository, options, context));
    return properties.*which;
  };
}

}  // namespace

Call repository(const Core& core, const std::string& name) {
  return metadata(core, Core::path({name}), name,
                  fmt::format("repository {}/{}", core.name(), name));
}

Call tag(const Core& core, const std::string& name, const std::string& tag) {
  return metadata(core, Core::path({name, "_tags", tag}), name,
                  fmt::format("tag {}/{}:{}", core.name(), name, tag));
}

Call manifest(const Core& core, const std::string& name, const Digest& digest) {
  return metadata(core, Core::path({name, "_manifests", digest.text()}), name,
                  fmt::format("manifest {}/{}@{}", core.name(), name, digest.text()));
}

Call change(Call call, const ChangeableProperties& changes) {
  call.method = "PATCH";
  call.body = changes_text(changes);
  call.scopes = repository_scopes(call.repository, "metadata_write");
  call.operation = "changing " + call.operation;
  return call;
}

Call removal(Call call) {
  call.method = "DELETE";
  call.scopes = repository_scopes(call.repository, "delete");
  call.operation = "deleting " + call.operation;
  return call;
}

Call blob_removal(const Core& core, const std::string& name, const Digest& digest) {
  return {.method = "DELETE",
          .target = fmt::format("/v2/{}/blobs/{}", text::percent_encode(name),
                                text::percent_encode(digest.text())),
          .scopes = repository_scopes(name, "delete"),
          .repository = name,
          .operation = fmt::format("deleting blob {}/{}@{}", core.name(), name, digest.text())};
}

Call manifest_removal(const Core& core, const std::string& name, const Digest& digest) {
  Call call = removal(manifest(core, name, digest));
  call.target = fmt::format("/v2/{}/manifests/{}", text::percent_encode(name),
                            text::percent_encode(digest.text()));
  return call;
}

Listing tags(const std::shared_ptr<Core>& core, const std::string& name,
             const ListTagsOptions& options, const Context& context,
             const std::optional<Digest>& digest) {
  const std::string query = Core::query({{"api-version", core->api_version()},
                                         {"orderby", order_text(options.order)},
                                         {"digest", digest ? digest->text() : std::string()}});
  Listing listing{.core = core,
                  .call = list(name, Core::path({name, "_tags"}) + query,
                               fmt::format("tags of {}/{}", core->name(), name)),
                  .options = static_cast<const ListOptions&>(options),
                  .context = context};
  if (options.verify_count && !digest) {
    listing.count =
        counter(core, name, options, context, &ContainerRepositoryProperties::tag_count);
  }
  return listing;
}

Listing manifests(const std::shared_ptr<Core>& core, const std::string& name,
                  const ListManifestsOptions& options, const Context& context) {
  const std::string query =
      Core::query({{"api-version", core->api_version()}, {"orderby", order_text(options.order)}});
  Listing listing{.core = core,
                  .call = list(name, Core::path({name, "_manifests"}) + query,
                               fmt::format("manifests of {}/{}", core->name(), name)),
                  .options = static_cast<const ListOptions&>(options),
                  .context = context};
  if (options.verify_count) {
    listing.count =
        counter(core, name, options, context, &ContainerRepositoryProperties::manifest_count);
  }
  return listing;
}

Result<bool> exists(Core& core, const Call& call, const OperationOptions& options,
                    const Context& context) {
  const auto answer = core.send(call, options, context);
  if (answer) return true;
  if (answer.error().code() == Errc::not_found) return false;
  return answer.error();
}

namespace {

/// By Azure's own call where the registry is one. Any other one is spoken to by the distribution
/// client, which knows what each takes, and says what a refusal means there.
template <class ByDistribution>
Result<void> remove(Core& core, const Call& call, const DeleteOptions& options,
                    const Context& context, ByDistribution by_distribution) {
  if (core.is_azure()) {
    TRY(core.send(call, options, context, options.ignore_not_found));
    return {};
  }
  const auto scope = TRY(core.dress(options));
  Result<void> done = by_distribution(core.registry());
  if (!done && options.ignore_not_found && done.error().code() == Errc::not_found) return {};
  return done;
}

}  // namespace

Result<void> remove_manifest(Core& core, const std::string& name, const Digest& digest,
                             const DeleteOptions& options, const Context& context) {
  return remove(core, manifest_removal(core, name, digest), options, context,
                [&](auto& registry) { return registry.delete_manifest(name, digest, context); });
}

Result<void> remove_blob(Core& core, const std::string& name, const Digest& digest,
                         const DeleteOptions& options, const Context& context) {
  return remove(core, blob_removal(core, name, digest), options, context,
                [&](auto& registry) { return registry.delete_blob(name, digest, context); });
}

Result<DeletedRepository> remove_repository(Core& core, const std::string& name,
                                            const DeleteOptions& options, const Context& context) {
  const Call call = removal(repository(core, name));
  const auto answer = TRY(core.send(call, options, context, options.ignore_not_found));
  auto deleted = parse_deleted_repository(answer.body);
  if (!deleted) return std::move(deleted).error().with_context(call.operation);
  deleted->existed = answer.existed;
  return deleted;
}

}  // namespace berth::acr::requests
