// SPDX-License-Identifier: Apache-2.0
// Random walks of the tree, compared after each step with what a registry's plain tables say. The
// registry changes between steps, time passes, the tree is refreshed, restarted and cut off. What
// the tree says must be what is true now, or what was true within the time to live.

#include "berth/tree/tree.hpp"

#include <deque>
#include <iostream>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "berth/base/environment.hpp"

#include "support/matchers.hpp"
#include "unit/tree/fake_sources.hpp"

namespace berth::test {
namespace {

constexpr const char* kHost = "r.example";
constexpr std::chrono::seconds kTtl{60};

unsigned long number(const char* name, unsigned long otherwise) {
  const auto value = real_environment(name);
  return value ? std::stoul(*value) : otherwise;
}

/// One state of the registry, as plainly as it can be said: repository -> tag -> digest.
using Truth = std::map<std::string, std::map<std::string, Digest>>;

class Walk {
 public:
  explicit Walk(unsigned long seed)
      : random_(seed) {
    registry().can.list_repositories = pick(4) != 0;
    registry().page_size = 1 + pick(5);
    restart();
    note();
  }

  void step() {
    switch (pick(12)) {
      case 0:
      case 1:
        push();
        break;
      case 2:
        untag();
        break;
      case 3:
        if (pick(4) == 0) remove_repository();
        break;
      case 4:
        world_.clock.advance(std::chrono::seconds(1 + pick(90)));
        note();
        break;
      case 5:
        if (pick(3) == 0) refresh();
        break;
      case 6:
        if (pick(5) == 0) restart();
        break;
      case 7:
      case 8:
        check_listing(repository());
        break;
      default:
        check_tag(repository(), tag());
    }
  }

 private:
  unsigned pick(unsigned count) {
    return std::uniform_int_distribution<unsigned>(0, count - 1)(random_);
  }
  std::string repository() {
    static const char* const kNames[] = {"a", "a/b", "a/b/c", "n/x", "n/y", "b"};
    return kNames[pick(6)];
  }
  std::string tag() {
    static const char* const kNames[] = {"b", "c", "v1", "v2", "Latest", "x_1"};
    return kNames[pick(6)];
  }
  MemoryRegistry& registry() { return world_.registry(kHost); }

  // The tree asks for tags' targets ahead, in threads of its own.
  void push() {
    {
      const MutexLock lock(registry().mutex);
      registry().push_image(repository(), tag(), {{"", "layer " + std::to_string(pick(20))}});
    }
    note();
  }
  void untag() {
    {
      const MutexLock lock(registry().mutex);
      auto& all = registry().repositories;
      const auto found = all.find(repository());
      if (found != all.end()) found->second.tags.erase(tag());
    }
    note();
  }
  void remove_repository() {
    {
      const MutexLock lock(registry().mutex);
      registry().repositories.erase(repository());
    }
    note();
  }
  void refresh() {
    world_.clock.advance(std::chrono::milliseconds(1));
    tree_->refresh();
    note();
    refreshed_ = world_.clock.ticks();
  }
  void restart() {
    tree::Options options;
    options.clock = &world_.clock;
    options.root.kind = tree::Root::Kind::registry;
    options.root.registry = kHost;
    tree_ = std::make_unique<tree::Tree>(std::make_unique<MemorySources>(world_), options);
    // What the tree before learned within the time to live counts, also from before its refresh.
    refreshed_ = {};
  }

  Truth now() {
    Truth truth;
    const MutexLock lock(registry().mutex);
    for (const auto& [name, held] : registry().repositories) truth[name] = held.tags;
    return truth;
  }
  void note() { history_.emplace_back(world_.clock.ticks(), now()); }
  /// Every state of the last `ttl`: the one that held at its start, and all since.
  std::vector<Truth> recent() {
    const auto since = world_.clock.ticks() - kTtl;
    while (history_.size() > 1 && history_[1].first < since) history_.pop_front();
    std::vector<Truth> states;
    bool refreshed = false;
    for (const auto& [time, truth] : history_) {
      if (time == refreshed_ && !refreshed) {
        states.clear();
        refreshed = true;
      }
      states.push_back(truth);
    }
    return states;
  }

  static bool is_folder(const Truth& truth, const std::string& path) {
    return std::ranges::any_of(truth, [&](const auto& entry) {
      return entry.first == path || entry.first.starts_with(path + '/');
    });
  }

  void check_tag(const std::string& repository, const std::string& tag) {
    SCOPED_TRACE(repository + ':' + tag);
    const auto found = tree_->walk(tree_->root(), repository + ':' + tag, false, {});
    std::set<std::string> allowed;
    for (const Truth& truth : recent()) {
      const auto held = truth.find(repository);
      const bool there = held != truth.end() && held->second.contains(tag);
      allowed.insert(there ? held->second.at(tag).text() : "absent");
    }
    std::string said = "absent";
    if (found) {
      const auto link = tree_->read_link(found->node, {});
      ASSERT_THAT(link, IsOk());
      said = "sha256:" + link->substr(link->rfind('/') + 1);
    } else {
      ASSERT_THAT(found, HasCode(Errc::not_found));
    }
    EXPECT_TRUE(allowed.contains(said)) << said;
    if (found) check_content(found->node, said);
  }

  /// What stands under a digest is that digest's, whenever it is looked at.
  void check_content(const tree::NodePtr& link, const std::string& digest) {
    const auto meaning = tree_->meaning(link, {});
    ASSERT_THAT(meaning, IsOk());
    EXPECT_EQ(meaning->digest->text(), digest);
    const std::string path = meaning->repository + "/.manifests/sha256/" +
                             std::string(meaning->digest->hex()) + "/manifest.json";
    const auto at = tree_->walk(tree_->root(), path, true, {});
    if (!at) {  // the repository was removed, and the manifest never read
      ASSERT_THAT(at, HasCode(Errc::not_found));
      return;
    }
    const auto file = tree_->open(at->node, {});
    ASSERT_THAT(file, IsOk());
    std::string text((*file)->size(), '\0');
    ASSERT_THAT((*file)->read(0, std::as_writable_bytes(std::span(text.data(), text.size())), {}),
                IsOkAndHolds(at->attributes.size));
    EXPECT_EQ(digest_of(as_bytes(text)).text(), digest);
  }

  void check_listing(const std::string& repository) {
    SCOPED_TRACE("listing of " + repository);
    const auto folder = tree_->walk(tree_->root(), repository, false, {});
    const auto states = recent();
    // A tag may have the name for as long as a list is old: then this is no folder.
    if (!folder || folder->node->type() != tree::Type::folder) {
      const bool was_absent = std::ranges::any_of(
          states, [&](const Truth& truth) { return !is_folder(truth, repository); });
      EXPECT_TRUE(was_absent || !registry().can.list_repositories);
      return;
    }
    const auto entries = tree_->list(folder->node, {});
    if (!entries) {
      ASSERT_THAT(entries, HasCode(Errc::not_found));
      EXPECT_TRUE(std::ranges::any_of(
          states, [&](const Truth& truth) { return !truth.contains(repository); }));
      return;
    }
    EXPECT_TRUE(std::ranges::is_sorted(*entries, {}, &tree::Entry::name));
    for (const tree::Entry& entry : *entries) {
      const bool is_true = std::ranges::any_of(states, [&](const Truth& truth) {
        if (entry.type == tree::Type::folder)
          return is_folder(truth, repository + '/' + entry.name);
        const auto held = truth.find(repository);
        return held != truth.end() && held->second.contains(entry.name);
      });
      // Without a catalogue what was seen stays shown: nothing says that it went.
      EXPECT_TRUE(is_true ||
                  (entry.type == tree::Type::folder && !registry().can.list_repositories))
          << entry.name;
    }
    check_complete(repository, *entries, states);
  }

  /// What was there all the time is shown, under the one name that it has.
  void check_complete(const std::string& repository, const std::vector<tree::Entry>& entries,
                      const std::vector<Truth>& states) {
    std::set<std::string> shown;
    for (const tree::Entry& entry : entries) EXPECT_TRUE(shown.insert(entry.name).second);
    const auto held = states.back().find(repository);
    if (held == states.back().end()) return;
    for (const auto& [name, digest] : held->second) {
      const bool always = std::ranges::all_of(states, [&, &tag = name](const Truth& truth) {
        const auto there = truth.find(repository);
        return there != truth.end() && there->second.contains(tag);
      });
      EXPECT_TRUE(!always || shown.contains(name)) << name;
    }
  }

  std::mt19937_64 random_;
  World world_;
  std::unique_ptr<tree::Tree> tree_;
  std::deque<std::pair<Clock::SteadyTime, Truth>> history_;
  Clock::SteadyTime refreshed_;
};

TEST(TreeModelTest, SaysWhatIsTrueOrWasWithinTheTimeToLive) {
  const unsigned long first = number("BERTH_MODEL_SEED", std::random_device{}());
  const unsigned long steps = number("BERTH_MODEL_STEPS", 500);
  const unsigned long walks = real_environment("BERTH_MODEL_SEED") ? 1 : 6;
  for (unsigned long seed = first; seed < first + walks; ++seed) {
    std::cout << "BERTH_MODEL_SEED=" << seed << '\n';
    SCOPED_TRACE("BERTH_MODEL_SEED=" + std::to_string(seed));
    Walk walk(seed);
    for (unsigned long step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      walk.step();
    }
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace berth::test
