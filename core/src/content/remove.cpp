// SPDX-License-Identifier: Apache-2.0
#include "berth/content/remove.hpp"

#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string_view>

#include "berth/base/try.hpp"

#include "content/crew.hpp"

namespace berth::content {
namespace {

/// A registry that hands out such lists for ever is not believed.
constexpr int kPages = 10'000;

Result<std::vector<std::string>> all_tags(Source& source, const std::string& repository,
                                          const Context& context) {
  std::vector<std::string> tags;
  std::string from;
  for (int page = 0; page < kPages; ++page) {
    auto part = TRY(source.list_tags(repository, from, context));
    tags.insert(tags.end(), part.names.begin(), part.names.end());
    if (part.next.empty()) return tags;
    from = std::move(part.next);
  }
  return Error(Errc::corrupt,
               "the list of tags of " + source.name() + "/" + repository + " does not end");
}

/// What each tag leads to; nullopt for one that went meanwhile.
Result<std::vector<std::optional<Digest>>> targets(Source& source, const std::string& repository,
                                                   const std::vector<std::string>& tags, int jobs,
                                                   const Context& context) {
  std::vector<std::optional<Digest>> digests(tags.size());
  TRY(work_together(jobs, tags.size(), context,
                    [&](std::size_t i, const Context& limit) -> Result<void> {
                      auto head = source.head_manifest(repository, tags[i], limit);
                      if (head) {
                        digests[i] = std::move(head->digest);
                      } else if (head.error().code() != Errc::not_found) {
                        return std::move(head).error();
                      }
                      return {};
                    }));
  return digests;
}

Result<std::vector<std::string>> tags_by_listing(Management& management,
                                                 const std::string& repository,
                                                 const Digest& digest, const Context& context) {
  std::vector<std::string> tags;
  std::string from;
  do {
    const auto page = TRY(management.list_tags(repository, from, context));
    for (const auto& tag : page.items) {
      if (tag.digest == digest) tags.push_back(tag.name);
    }
    from = page.continuation_token;
  } while (!from.empty());
  return tags;
}

/// A manifest and, of an index, those that it names, and so on; "" for one that is not there.
using Visit = std::function<void(const Digest& digest, std::string_view text)>;
Result<void> visit_manifests(Source& source, const std::string& repository, const Digest& root,
                             std::set<Digest>& known, const Visit& visit, const Context& context) {
  std::deque<Digest> waiting{root};
  while (!waiting.empty()) {
    const Digest digest = waiting.front();
    waiting.pop_front();
    if (!known.insert(digest).second) continue;
    auto raw = source.get_manifest(repository, digest.text(), context);
    const bool is_gone = !raw && raw.error().code() == Errc::not_found;
    if (!raw && !is_gone) return std::move(raw).error();
    visit(digest, is_gone ? "" : std::string_view(raw->raw));
    if (is_gone) continue;
    const auto document = oci::parse_manifest(std::move(raw->raw), raw->media_type, digest);
    if (!document || document->index() == nullptr) continue;
    for (const oci::Descriptor& child : document->index()->manifests) {
      waiting.push_back(child.digest);
    }
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> tags_leading_to(Source& source, const std::string& repository,
                                                 const Digest& digest, int jobs,
                                                 const Context& context) {
  if (auto* management = source.management()) {
    return tags_by_listing(*management, repository, digest, context);
  }
  const auto tags = TRY(all_tags(source, repository, context));
  const auto digests = TRY(targets(source, repository, tags, jobs, context));
  std::vector<std::string> found;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    if (digests[i] == digest) found.push_back(tags[i]);
  }
  return found;
}

Result<std::vector<Digest>> manifests_naming(Source& source, const std::string& repository,
                                             const Digest& blob, int jobs, const Context& context) {
  const auto tags = TRY(all_tags(source, repository, context));
  std::set<Digest> leading;
  for (const auto& digest : TRY(targets(source, repository, tags, jobs, context))) {
    if (digest) leading.insert(*digest);
  }
  const std::vector<Digest> roots(leading.begin(), leading.end());
  std::vector<std::set<Digest>> naming(roots.size());
  TRY(work_together(jobs, roots.size(), context,
                    [&](std::size_t i, const Context& limit) -> Result<void> {
                      std::set<Digest> known;
                      const Visit visit = [&](const Digest& digest, std::string_view text) {
                        if (text.find(blob.text()) != std::string_view::npos)
                          naming[i].insert(digest);
                      };
                      return visit_manifests(source, repository, roots[i], known, visit, limit);
                    }));
  std::set<Digest> all;
  for (std::set<Digest>& some : naming) all.merge(some);
  return std::vector<Digest>(all.begin(), all.end());
}

Result<RemovedRepository> remove_repository(Source& source, const std::string& repository, int jobs,
                                            const Context& context) {
  Changes* const changes = TRY(source.changes(context));
  auto at_once = changes->delete_repository(repository, context);
  if (at_once) return RemovedRepository{.at_once = true};
  if (at_once.error().code() != Errc::unsupported) return std::move(at_once).error();
  RemovedRepository removed;
  const auto tags = TRY(all_tags(source, repository, context));
  std::set<Digest> known;
  std::vector<Digest> order;  // an index before what it names
  const Visit visit = [&](const Digest& digest, std::string_view) { order.push_back(digest); };
  for (const auto& digest : TRY(targets(source, repository, tags, jobs, context))) {
    if (!digest) continue;
    ++removed.tags;
    TRY(visit_manifests(source, repository, *digest, known, visit, context));
  }
  for (const Digest& digest : order) {
    auto gone = changes->delete_manifest(repository, digest, context);
    if (gone) {
      ++removed.manifests;
    } else if (gone.error().code() != Errc::not_found) {
      return std::move(gone).error();
    }
  }
  return removed;
}

}  // namespace berth::content
