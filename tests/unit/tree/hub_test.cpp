// SPDX-License-Identifier: Apache-2.0
// The tree over a real hub: the seam that every other test of the tree replaces.
#include "berth/content/hub.hpp"

#include <gtest/gtest.h>

#include "berth/tree/tree.hpp"

#include "support/fake_registry.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace berth::test {
namespace {

class HubTreeTest : public ::testing::Test {
 protected:
  HubTreeTest() {
    image_ = registry_.add_image("library/hello", "latest", {"layer bytes"});
    content::HubOptions options;
    options.environment =
        [home = folder_.path().string()](const std::string& name) -> std::optional<std::string> {
      if (name == "HOME" || name == "XDG_RUNTIME_DIR") return home;
      return std::nullopt;
    };
    options.cache.folder = folder_ / "cache";
    options.plain_http = {registry_.host()};
    auto hub = content::Hub::open(std::move(options));
    EXPECT_THAT(hub, IsOk());
    hub_ = *std::move(hub);
    tree::Options shown;
    shown.root.named = {registry_.host()};
    tree_ = std::make_unique<tree::Tree>(*hub_, shown);
  }

  Result<tree::Found> find(const std::string& path, const Context& context = {}) {
    return tree_->walk(tree_->root(), registry_.host() + '/' + path, true, context);
  }
  std::string read(const std::string& path) {
    const auto at = find(path);
    if (!at) return at.error().describe();
    const auto file = tree_->open(at->node, {});
    if (!file) return file.error().describe();
    std::string text((*file)->size(), '\0');
    const auto count =
        (*file)->read(0, std::as_writable_bytes(std::span(text.data(), text.size())), {});
    return count ? text : count.error().describe();
  }

  TempDir folder_;
  FakeRegistry registry_;
  FakeImage image_;
  std::unique_ptr<content::Hub> hub_;
  std::unique_ptr<tree::Tree> tree_;
};

TEST_F(HubTreeTest, ReadsThroughTheCacheAndThenAsksNothing) {
  EXPECT_EQ(read("library/hello/latest/manifest.json"), image_.manifest);
  EXPECT_EQ(read("library/hello:latest/layers/00.tar.gz"), "layer bytes");
  const auto before = hub_->requests().requests;
  EXPECT_GT(before, 0U);
  EXPECT_EQ(read("library/hello/latest/manifest.json"), image_.manifest);
  EXPECT_EQ(read("library/hello:latest/layers/00.tar.gz"), "layer bytes");
  EXPECT_EQ(hub_->requests().requests, before);
}

TEST_F(HubTreeTest, AnswersWithoutWaitingWhatIsAtHandAndNothingElse) {
  const Context now = Context().nonblocking();
  const std::string manifest =
      "library/hello/.manifests/sha256/" + image_.digest.substr(7) + "/manifest.json";
  EXPECT_THAT(find(manifest, now), HasCode(Errc::would_block));
  EXPECT_EQ(hub_->requests().requests, 0U);
  EXPECT_EQ(read(manifest), image_.manifest);
  const auto before = hub_->requests().requests;
  EXPECT_THAT(find(manifest, now), IsOk());
  const auto layer = find("library/hello/.blobs/sha256/" + image_.layer_digests[0].substr(7), now);
  ASSERT_THAT(layer, IsOk()) << "named by a manifest that was read";
  EXPECT_THAT(tree_->open(layer->node, now), IsOk());
  EXPECT_EQ(hub_->requests().requests, before);
}

TEST_F(HubTreeTest, ShowsTheHubsNumbers) {
  read("library/hello/latest/manifest.json");
  const auto metrics = tree_->walk(tree_->root(), ".berth/metrics", true, {});
  ASSERT_THAT(metrics, IsOk());
  const auto file = tree_->open(metrics->node, {});
  ASSERT_THAT(file, IsOk());
  std::string text((*file)->size(), '\0');
  ASSERT_THAT((*file)->read(0, std::as_writable_bytes(std::span(text.data(), text.size())), {}),
              IsOk());
  EXPECT_THAT(text, ::testing::HasSubstr("\nberth_http_requests_total " +
                                         std::to_string(hub_->requests().requests) + "\n"));
  EXPECT_THAT(text, ::testing::HasSubstr("\nberth_cache_limit_bytes "));
}

}  // namespace
}  // namespace berth::test
