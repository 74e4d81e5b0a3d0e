// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "berth/tree/tree.hpp"

#include "support/matchers.hpp"
#include "unit/tree/fake_sources.hpp"

namespace berth::test {

/// One registry R and a tree over it, with short ways to ask the tree by paths.
class TreeFixture : public ::testing::Test {
 protected:
  static constexpr const char* kHost = "r.example";

  TreeFixture() { options.platform = {"linux", "amd64", "", ""}; }

  MemoryRegistry& registry() { return world.registry(kHost); }

  /// The tree of `options`, made at first use.
  tree::Tree& tree() {
    if (!tree_) {
      options.clock = &world.clock;
      tree_ = std::make_unique<tree::Tree>(std::make_unique<MemorySources>(world), options);
    }
    return *tree_;
  }
  /// As another process, or the next mount: nothing in memory.
  void restart() { tree_.reset(); }

  void show(tree::Root::Kind kind, const std::string& repository = "",
            const std::string& reference = "") {
    options.root = {.kind = kind,
                    .registry = kHost,
                    .repository = repository,
                    .reference = reference,
                    .layout = nullptr,
                    .named = {}};
    restart();
  }

  Result<tree::Found> find(const std::string& path, bool follow = false,
                           const Context& context = {}) {
    return tree().walk(tree().root(), path, follow, context);
  }
  /// It is there; what it is does not matter.
  void see(const std::string& path) { EXPECT_THAT(find(path), IsOk()) << path; }
  Errc error(const std::string& path, const Context& context = {}) {
    const auto found = find(path, false, context);
    return found ? Errc::internal : found.error().code();
  }
  /// One lookup by its folder's node, as the kernel asks.
  Result<tree::Found> lookup(const std::string& folder, const std::string& name,
                             const Context& context = {}) {
    auto at = find(folder);
    if (!at) return at.error();
    return tree().lookup(at->node, name, context);
  }
  /// "name" for a file, "name/" for a folder, "name@" for a link; "error: code" when it fails.
  std::vector<std::string> names(const std::string& path) {
    const auto folder = find(path, true);
    if (!folder) return {"error: " + std::string(to_string(folder.error().code()))};
    const auto entries = tree().list(folder->node, {});
    if (!entries) return {"error: " + std::string(to_string(entries.error().code()))};
    std::vector<std::string> all;
    for (const tree::Entry& entry : *entries) {
      all.push_back(entry.name + (entry.type == tree::Type::folder ? "/"
                                  : entry.type == tree::Type::link ? "@"
                                                                   : ""));
    }
    return all;
  }
  std::string target(const std::string& path) {
    const auto link = find(path);
    if (!link) return "error: " + link.error().describe();
    const auto text = tree().read_link(link->node, {});
    return text ? *text : "error: " + text.error().describe();
  }
  std::string read(const std::string& path) {
    const auto at = find(path, true);
    if (!at) return "error: " + at.error().describe();
    const auto file = tree().open(at->node, {});
    if (!file) return "error: " + file.error().describe();
    std::string text((*file)->size(), '\0');
    const auto count =
        (*file)->read(0, std::as_writable_bytes(std::span(text.data(), text.size())), {});
    return count && *count == text.size() ? text : "error: short";
  }
  /// A file of .berth, whose size is not known before it is opened.
  std::string read_control(const std::string& name) {
    const auto at = tree().lookup(tree().lookup(tree().root(), ".berth", {})->node, name, {});
    const auto file = tree().open(at->node, {});
    std::string text((*file)->size(), '\0');
    EXPECT_THAT((*file)->read(0, std::as_writable_bytes(std::span(text.data(), text.size())), {}),
                IsOkAndHolds(text.size()));
    return text;
  }
  static std::string hex(const Digest& digest) { return std::string(digest.hex()); }

  World world;
  tree::Options options;

 private:
  std::unique_ptr<tree::Tree> tree_;
};

/// Each test carries the number of the sentence in docs/semantics.md that it holds.
class SemanticsTest : public TreeFixture {};

}  // namespace berth::test
