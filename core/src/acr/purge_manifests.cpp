// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>

#include "berth/base/sync.hpp"
#include "berth/base/try.hpp"
#include "berth/json/value.hpp"
#include "berth/oci/media_type.hpp"

#include "acr/parallel.hpp"
#include "acr/parse.hpp"
#include "acr/purge_impl.hpp"
#include "acr/requests.hpp"

// A manifest goes when nothing needs it any more. Whatever could not be read counts as needed, and
// whatever could not be read though it is listed ends the plan.
namespace berth::acr {
namespace {

/// What a manifest leads to.
struct Links {
  bool has_subject = false;
  std::vector<Digest> children;
};

struct Known {
  ArtifactManifestProperties properties;
  std::vector<std::string> tags_to_go;
  bool may_go = false;
  Links links;
};
using Manifests = std::map<Digest, Known>;

Result<Links> parse_links(const std::string& raw) {
  const auto document = TRY(json::Document::parse(raw));
  Links out;
  out.has_subject = document.root().find("subject").has_value();
  const auto list = document.root().find("manifests");
  if (!list) return out;
  const auto items = TRY(list->as_array());
  for (const json::Value& item : items) {
    const std::string text = TRY(item.string_or_empty("digest"));
    out.children.push_back(TRY(Digest::parse(text)));
  }
  return out;
}

/// Has to be read to be judged: one that may go for its subject, one that stays for its children.
bool needs_reading(const Known& manifest) {
  const std::string& type = manifest.properties.media_type;
  if (type.empty() || oci::is_index(type)) return true;
  const bool may_refer = oci::is_manifest(type) || oci::is_early_artifact(type);
  return manifest.may_go && type != oci::media::kDockerManifest && may_refer;
}

bool is_known_type(const std::string& type) {
  return type.empty() || oci::is_manifest(type) || oci::is_index(type) ||
         oci::is_early_artifact(type) || oci::is_schema1(type);
}

/// What is needed by what stays, as far down as it goes.
void keep_what_is_named(Manifests& all) {
  std::vector<const Known*> staying;
  for (auto& [digest, manifest] : all) {
    manifest.may_go = manifest.may_go && !manifest.links.has_subject;
    if (!manifest.may_go) staying.push_back(&manifest);
  }
  while (!staying.empty()) {
    const Known* one = staying.back();
    staying.pop_back();
    for (const Digest& child : one->links.children) {
      const auto found = all.find(child);
      if (found == all.end() || !found->second.may_go) continue;
      found->second.may_go = false;
      staying.push_back(&found->second);
    }
  }
}

Result<void> read_links(Core& core, const std::string& repository, int concurrency, Manifests& all,
                        const Context& context) {
  std::vector<Known*> unread;
  for (auto& [digest, manifest] : all) {
    if (needs_reading(manifest)) unread.push_back(&manifest);
  }
  Mutex mutex;
  std::optional<Error> failed;
  for_each(unread.size(), concurrency, [&](std::size_t i) {
    const auto read = [&]() -> Result<Links> {
      const std::string& digest = unread[i]->properties.digest.text();
      const auto raw = TRY(core.registry().get_raw_manifest(repository, digest, context));
      return parse_links(raw.raw);
    };
    Result<Links> links = read();
    if (links) {
      unread[i]->links = *std::move(links);
      return true;
    }
    const MutexLock lock(mutex);
    if (!failed) {
      failed = std::move(links).error().with_context(fmt::format(
          "what {}/{}@{} needs", core.name(), repository, unread[i]->properties.digest.text()));
    }
    return false;
  });
  if (failed) return *std::move(failed);
  return {};
}

}  // namespace

/// A push while the list is made hides that something is missing in it, and a deletion looks like
/// something missing. So the list holds what was counted before it and after it, and where the
/// counts differ it is made again.
Result<Purge::Impl::Listed> Purge::Impl::list_manifests(const std::string& repository,
                                                        std::uint64_t count,
                                                        const Context& context) const {
  constexpr int kMostTries = 3;
  ListManifestsOptions with;
  with.page_size = 100;
  Listing listing = requests::manifests(core, repository, with, context);
  listing.call.scopes = scopes(repository);
  for (int tries = 1;; ++tries) {
    Listed all;
    auto list = paged<ArtifactManifestProperties>(listing, parse_manifests);
    for (Result<ArtifactManifestProperties>& item : list) {
      if (!item) return std::move(item).error();
      all.insert_or_assign(item->digest, *item);
    }
    if (!options.verify_counts) return all;
    const std::uint64_t after = TRY(ask_repository(repository, context)).manifest_count;
    const std::uint64_t most = std::max(count, after);
    if (all.size() >= most) return all;
    if (count == after || tries == kMostTries) {
      return short_list(listing.call.operation, all.size(), most);
    }
    count = after;
  }
}

Result<void> Purge::Impl::plan_manifests(const std::string& repository, std::uint64_t count,
                                         Timestamp cutoff, PurgePlan& plan,
                                         const Context& context) const {
  std::set<std::string> going;
  for (const PurgeTag& tag : plan.tags) {
    if (tag.repository == repository) going.insert(tag.name);
  }
  Manifests all;
  for (const auto& [digest, item] : TRY(list_manifests(repository, count, context))) {
    Known known{.properties = item};
    const bool locked = is_locked(item.can_delete, item.can_write);
    known.may_go = item.last_updated_on < cutoff && (!locked || options.include_locked) &&
                   is_known_type(item.media_type);
    for (const std::string& tag : item.tags) {
      known.may_go = known.may_go && going.contains(tag);
      if (going.contains(tag)) known.tags_to_go.push_back(tag);
    }
    all.emplace(digest, std::move(known));
  }
  TRY(read_links(*core, repository, options.concurrency, all, context));
  keep_what_is_named(all);
  for (auto& [digest, manifest] : all) {
    if (!manifest.may_go) continue;
    const ArtifactManifestProperties& properties = manifest.properties;
    plan.manifests.push_back({repository, digest, properties.size_in_bytes.value_or(0),
                              properties.last_updated_on,
                              is_locked(properties.can_delete, properties.can_write),
                              std::move(manifest.tags_to_go), std::move(manifest.links.children)});
  }
  return {};
}

}  // namespace berth::acr
