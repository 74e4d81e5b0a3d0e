// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "berth/acr/artifact.hpp"
#include "berth/acr/models.hpp"

#include "acr/listing.hpp"

/// The requests of acr.md 2.2, each once: the classes of the public headers are names for them, and
/// a purge makes the same ones. Names were checked by whoever calls.
namespace berth::acr::requests {

Call repository(const Core& core, const std::string& name);
Call tag(const Core& core, const std::string& name, const std::string& tag);
Call manifest(const Core& core, const std::string& name, const Digest& digest);
/// The same object, to be changed, or deleted.
Call change(Call call, const ChangeableProperties& changes);
Call removal(Call call);
Call blob_removal(const Core& core, const std::string& name, const Digest& digest);
Call manifest_removal(const Core& core, const std::string& name, const Digest& digest);

Listing tags(const std::shared_ptr<Core>& core, const std::string& name,
             const ListTagsOptions& options, const Context& context,
             const std::optional<Digest>& digest = {});
Listing manifests(const std::shared_ptr<Core>& core, const std::string& name,
                  const ListManifestsOptions& options, const Context& context);

/// Sends, and reads the answer.
template <class T>
Result<T> ask(Core& core, const Call& call, Result<T> (*parse)(std::string_view),
              const OperationOptions& options, const Context& context) {
  Result<Answer> answer = core.send(call, options, context);
  if (!answer) return std::move(answer).error();
  Result<T> value = parse(answer->body);
  if (!value) return std::move(value).error().with_context(call.operation);
  return value;
}

/// Is it there?
Result<bool> exists(Core& core, const Call& call, const OperationOptions& options,
                    const Context& context);
/// Where the registry may be another than Azure's, with what stands for a referrer in the tag of
/// its subject: two requests more.
Result<void> remove_manifest(Core& core, const std::string& name, const Digest& digest,
                             const DeleteOptions& options, const Context& context);
Result<void> remove_blob(Core& core, const std::string& name, const Digest& digest,
                         const DeleteOptions& options, const Context& context);
Result<DeletedRepository> remove_repository(Core& core, const std::string& name,
                                            const DeleteOptions& options, const Context& context);

}  // namespace berth::acr::requests
