// SPDX-License-Identifier: Apache-2.0
#include "berth/acr/artifact.hpp"

#include <optional>

#include <fmt/format.h>

#include "berth/base/sync.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

#include "acr/parse.hpp"
#include "acr/requests.hpp"

namespace berth::acr {

struct RegistryArtifact::State {
  std::shared_ptr<Core> core;
  std::string repository;
  std::string tag;  // "" where a digest was given
  std::string reference;
  Mutex mutex;
  std::optional<Digest> digest BERTH_GUARDED_BY(mutex);

  /// Asked without the lock: who meets a slow registry keeps nobody else waiting.
  Result<Digest> resolve(const OperationOptions& options, const Context& context) {
    {
      const MutexLock lock(mutex);
      if (digest) return *digest;
    }
    const auto found = TRY(
        requests::ask(*core, requests::tag(*core, repository, tag), parse_tag, options, context));
    return settle(found.digest);
  }
  /// What it is from now on: the first answer, whoever else asked meanwhile.
  Digest settle(const Digest& found) {
    const MutexLock lock(mutex);
    if (!digest) digest = found;
    return *digest;
  }
  /// The digest where it is known, else the tag, which a registry without ACR's API knows as well.
  std::string best_reference() {
    const MutexLock lock(mutex);
    return digest ? digest->text() : tag;
  }
  Call tag_call(const std::string& other) const { return requests::tag(*core, repository, other); }
};

Result<RegistryArtifact> RegistryArtifact::make(std::shared_ptr<Core> core, std::string repository,
                                                const std::string& tag_or_digest) {
  TRY(check_repository_name(repository));
  auto state = std::make_shared<State>();
  const bool is_digest = tag_or_digest.find(':') != std::string::npos;
  if (is_digest) {
    const MutexLock lock(state->mutex);
    state->digest = TRY(Digest::parse(tag_or_digest));
  } else {
    TRY(check_tag(tag_or_digest));
    state->tag = tag_or_digest;
  }
  state->reference =
      fmt::format("{}/{}{}{}", core->name(), repository, is_digest ? '@' : ':', tag_or_digest);
  state->core = std::move(core);
  state->repository = std::move(repository);
  return RegistryArtifact(std::move(state));
}

const std::string& RegistryArtifact::registry_endpoint() const noexcept {
  return state_->core->endpoint();
}
const std::string& RegistryArtifact::repository_name() const noexcept { return state_->repository; }
const std::string& RegistryArtifact::fully_qualified_reference() const noexcept {
  return state_->reference;
}

Result<Digest> RegistryArtifact::digest(const Context& context,
                                        const OperationOptions& options) const {
  return state_->resolve(options, context);
}

Result<bool> RegistryArtifact::exists(const Context& context,
                                      const OperationOptions& options) const {
  Core& core = *state_->core;
  if (!state_->tag.empty()) {
    return requests::exists(core, state_->tag_call(state_->tag), options, context);
  }
  const Digest digest = TRY(state_->resolve(options, context));
  return requests::exists(core, requests::manifest(core, state_->repository, digest), options,
                          context);
}

Result<ArtifactManifestProperties> RegistryArtifact::get_manifest_properties(
    const Context& context, const OperationOptions& options) const {
  const Digest digest = TRY(state_->resolve(options, context));
  Core& core = *state_->core;
  return requests::ask(core, requests::manifest(core, state_->repository, digest), parse_manifest,
                       options, context);
}

Result<ArtifactManifestProperties> RegistryArtifact::update_manifest_properties(
    const ChangeableProperties& changes, const Context& context,
    const OperationOptions& options) const {
  const Digest digest = TRY(state_->resolve(options, context));
  Core& core = *state_->core;
  return requests::ask(
      core, requests::change(requests::manifest(core, state_->repository, digest), changes),
      parse_manifest, options, context);
}

Result<ArtifactTagProperties> RegistryArtifact::get_tag_properties(
    const std::string& tag, const Context& context, const OperationOptions& options) const {
  TRY(check_tag(tag));
  return requests::ask(*state_->core, state_->tag_call(tag), parse_tag, options, context);
}

Result<ArtifactTagProperties> RegistryArtifact::update_tag_properties(
    const std::string& tag, const ChangeableProperties& changes, const Context& context,
    const OperationOptions& options) const {
  TRY(check_tag(tag));
  return requests::ask(*state_->core, requests::change(state_->tag_call(tag), changes), parse_tag,
                       options, context);
}

Paged<ArtifactTagProperties> RegistryArtifact::list_tag_properties(
    const Context& context, const ListTagsOptions& options) const {
  using Tags = Paged<ArtifactTagProperties>;
  // The digest may have to be asked for, which is no business of making the list.
  auto fetch = [state = state_, options, context, pages = Tags::Fetch()](
                   const std::string& token) mutable -> Result<Page<ArtifactTagProperties>> {
    if (!pages) {
      const Digest digest = TRY(state->resolve(options, context));
      // A service that does not know the filter would give every tag.
      pages = pages_of<ArtifactTagProperties>(
          requests::tags(state->core, state->repository, options, context, digest), parse_tags,
          [digest](const ArtifactTagProperties& tag) { return tag.digest == digest; });
    }
    return pages(token);
  };
  return Tags(std::move(fetch), options.continuation_token);
}

Result<Digest> RegistryArtifact::tag(const std::string& new_tag, const Context& context,
                                     const OperationOptions& options) const {
  TRY(check_tag(new_tag));
  const auto scope = TRY(state_->core->dress(options));
  Digest tagged = TRY(
      state_->core->registry().tag(state_->repository, state_->best_reference(), new_tag, context));
  state_->settle(tagged);
  return tagged;
}

Result<void> RegistryArtifact::delete_tag(const std::string& tag, const Context& context,
                                          const DeleteOptions& options) const {
  TRY(check_tag(tag));
  TRY(state_->core->send(requests::removal(state_->tag_call(tag)), options, context,
                         options.ignore_not_found));
  return {};
}

Result<void> RegistryArtifact::remove(const Context& context, const DeleteOptions& options) const {
  const auto digest = state_->resolve(options, context);
  if (!digest) {
    if (options.ignore_not_found && digest.error().code() == Errc::not_found) return {};
    return digest.error();
  }
  return requests::remove_manifest(*state_->core, state_->repository, *digest, options, context);
}

}  // namespace berth::acr
