// SPDX-License-Identifier: Apache-2.0
// .manifests and .blobs: what a repository holds, by digest.
#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "berth/base/try.hpp"

#include "tree/node.hpp"

namespace berth::tree {
namespace {

/// Manifests whose documents are looked at for a listing of blobs: those in memory or in the cache,
/// about 50 us each.
constexpr std::size_t kReadForListing = 10'000;

constexpr std::array kAlgorithms{Algorithm::sha256, Algorithm::sha384, Algorithm::sha512,
                                 Algorithm::blake3};

std::optional<Algorithm> algorithm_named(std::string_view name) {
  const auto* const known =
      std::ranges::find_if(kAlgorithms, [&](Algorithm one) { return to_string(one) == name; });
  if (known == kAlgorithms.end()) return std::nullopt;
  return *known;
}

/// A layout's index.json names manifests that no tag leads to.
Result<void> note_indexed(Model& model, const Place& place, const Context& context) {
  if (!model.asking.is_layout()) return {};
  const auto indexed = TRY(model.asking.ask(
      place.registry, context, [](content::Source& source) { return source.indexed(); }));
  for (const content::Indexed& one : indexed) {
    model.holdings.note_named(place, one.descriptor.digest);
  }
  return {};
}

/// What is known of a repository's blobs grows with its manifests: reads those that are at hand.
/// Thousands of files: not for a thread that must not wait.
Result<std::vector<Digest>> known_blobs(Model& model, const Place& place, const Context& context) {
  if (context.is_nonblocking()) return Asking::would_block();
  TRY(note_indexed(model, place, context));
  std::set<Digest> tried;
  // Twice: the first pass may read an index, whose manifests the second one finds.
  for (int pass = 0; pass < 2; ++pass) {
    for (const Digest& digest : model.holdings.manifests(place)) {
      TRY(context.check());
      if (tried.size() == kReadForListing || !tried.insert(digest).second) continue;
      // Noted by being read; one that is not at hand is no error.
      (void)model.manifests.get(place, digest, Context().nonblocking());
    }
  }
  return model.holdings.blobs(place);
}

/// What the registry lists, where it lists manifests; else what is known.
Result<std::vector<Digest>> known_digests(Model& model, const Place& place, bool manifests,
                                          const Context& context) {
  if (!manifests) return known_blobs(model, place, context);
  if (model.properties.offered(place)) {
    const auto listed = model.properties.manifests(place, context);
    if (listed) return **listed;
    if (!model.properties.note_refusal(place, listed.error())) return listed.error();
  }
  TRY(note_indexed(model, place, context));
  return model.holdings.manifests(place);
}

/// .manifests/<algorithm> or .blobs/<algorithm>.
class AlgorithmFolder final : public TreeNode {
 public:
  AlgorithmFolder(Place place, bool manifests, Algorithm algorithm)
      : TreeNode(Type::folder, fmt::format("{}\n{}\n{}", manifests ? "manifests" : "blobs",
                                           place.key(), to_string(algorithm))),
        place_(std::move(place)),
        manifests_(manifests),
        algorithm_(algorithm) {}

  Result<Found> lookup(Model& model, std::string_view name, const Context& context) const override {
    const auto digest = Digest::from_parts(to_string(algorithm_), name);
    if (!digest) return no_such_name(place_.text(), name);
    if (manifests_) {
      Held held = TRY(model.find_manifest(place_, *digest, context));
      return found(model, make_manifest_folder(place_, *digest, std::move(held)), model.tag_ttl(),
                   context);
    }
    const Held held = TRY(model.holdings.find_blob(place_, *digest, context));
    return found(model,
                 std::make_shared<BlobFile>(
                     identity() + '\n' + std::string(name), held.first_seen,
                     About{place_, "", *digest, false, true, held.size, held.media_type}),
                 model.tag_ttl(), context);
  }

  Result<std::vector<Entry>> list(Model& model, const Context& context) const override {
    std::vector<Entry> entries;
    for (const Digest& digest : TRY(known_digests(model, place_, manifests_, context))) {
      if (digest.algorithm() != algorithm_) continue;
      entries.push_back({std::string(digest.hex()), manifests_ ? Type::folder : Type::file});
    }
    return entries;
  }

  Ttl negative_ttl(const Model& model, std::string_view /*name*/) const override {
    return Ttl{model.options().negative_ttl};
  }
  Result<Attributes> attributes(Model& model, const Context& /*context*/) const override {
    return folder_attributes(model.asking.folder_time(), model.tag_ttl());
  }
  Result<Tree::Meaning> meaning(Model& model, const Context& /*context*/) const override {
    return meaning_of(model, place_);
  }

 private:
  const Place place_;
  const bool manifests_;
  const Algorithm algorithm_;
};

/// .manifests or .blobs.
class DigestsFolder final : public TreeNode {
 public:
  DigestsFolder(Place place, bool manifests)
      : TreeNode(Type::folder,
                 fmt::format("{}\n{}", manifests ? "manifests" : "blobs", place.key())),
        place_(std::move(place)),
        manifests_(manifests) {}

  Result<Found> lookup(Model& model, std::string_view name, const Context& context) const override {
    if (const auto algorithm = algorithm_named(name)) {
      return found(model, std::make_shared<AlgorithmFolder>(place_, manifests_, *algorithm),
                   kForever, context);
    }
    const auto digest = Digest::parse(name);
    if (!digest) return no_such_name(place_.text(), name);
    // A pasted digest is a link to where it stands: one folder must not have two paths.
    const Held held = TRY(find(model, *digest, context));
    return found(
        model,
        std::make_shared<Link>(
            identity() + '\n' + std::string(name), digest_path(*digest), held.first_seen,
            About{place_, "", *digest, manifests_, !manifests_,
                  manifests_ && held.media_type.empty() ? std::nullopt : std::optional(held.size),
                  held.media_type}),
        model.tag_ttl(), context);
  }

  Result<std::vector<Entry>> list(Model& model, const Context& context) const override {
    const auto digests = TRY(known_digests(model, place_, manifests_, context));
    std::vector<Entry> entries;
    for (const Algorithm algorithm : kAlgorithms) {
      const bool known = std::ranges::any_of(
          digests, [&](const Digest& digest) { return digest.algorithm() == algorithm; });
      if (known || algorithm == Algorithm::sha256) {
        entries.push_back({std::string(to_string(algorithm)), Type::folder});
      }
    }
    return entries;
  }

  Ttl negative_ttl(const Model& model, std::string_view /*name*/) const override {
    return Ttl{model.options().negative_ttl};
  }
  Result<Attributes> attributes(Model& model, const Context& /*context*/) const override {
    return folder_attributes(model.asking.folder_time(), kForever);
  }
  Result<Tree::Meaning> meaning(Model& model, const Context& /*context*/) const override {
    return meaning_of(model, place_);
  }

 private:
  Result<Held> find(Model& model, const Digest& digest, const Context& context) const {
    return manifests_ ? model.find_manifest(place_, digest, context)
                      : model.holdings.find_blob(place_, digest, context);
  }

  const Place place_;
  const bool manifests_;
};

}  // namespace

TreeNodePtr make_manifests_folder(Place place) {
  return std::make_shared<DigestsFolder>(std::move(place), true);
}

TreeNodePtr make_blobs_folder(Place place) {
  return std::make_shared<DigestsFolder>(std::move(place), false);
}

}  // namespace berth::tree
