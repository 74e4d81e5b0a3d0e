// SPDX-License-Identifier: Apache-2.0
// DESIGN section 4: index.json lists complete images only.
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "berth/oci/layout.hpp"

#include "cache/fault_point.hpp"
#include "unit/cache/cache_fixture.hpp"

namespace berth::cache::test {
namespace {

class IndexFileTest : public CacheTest {
 protected:
  static constexpr const char* kType = "application/vnd.oci.image.manifest.v1+json";
  /// An image of one layer, complete in the cache.
  Digest put_image(Cache& cache, const std::string& layer) {
    const std::string config = R"({"architecture":"amd64","os":"linux"})";
    config_ = digest_of(as_bytes(config));
    EXPECT_THAT(cache.put(*config_, as_bytes(config)), IsOk());
    layer_ = digest_of(as_bytes(layer));
    EXPECT_THAT(cache.put(*layer_, as_bytes(layer)), IsOk());
    manifest_ = fmt::format(
        R"({{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":)"
        R"("application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[)"
        R"({{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":{}}}]}})",
        kType, digest_of(as_bytes(config)).text(), config.size(), layer_->text(), layer.size());
    const Digest digest = digest_of(as_bytes(manifest_));
    EXPECT_THAT(cache.put(digest, as_bytes(manifest_)), IsOk());
    return digest;
  }
  void set_tag(Cache& cache, const std::string& tag, const Digest& digest,
               const std::string& registry = "r.example") {
    cache.remembered().set_tag(
        registry, "a", tag,
        {digest, manifest_.size(), kType, "", Clock::SystemTime{}, Clock::SystemTime{}});
  }
  std::string index() const {
    std::ostringstream text;
    text << std::ifstream(folder() / "index.json").rdbuf();
    return text.str();
  }
  std::string manifest_;
  std::optional<Digest> config_;
  std::optional<Digest> layer_;
};

TEST_F(IndexFileTest, ListsWhatIsComplete) {
  const auto cache = open();
  const Digest digest = put_image(*cache, "layer");
  set_tag(*cache, "v1", digest);
  ASSERT_THAT(cache->sync(), IsOk());
  EXPECT_NE(index().find(digest.text()), std::string::npos);
  EXPECT_NE(index().find("r.example/a:v1"), std::string::npos);
  std::ostringstream layout;
  layout << std::ifstream(folder() / "oci-layout").rdbuf();
  EXPECT_THAT(oci::check_layout_file(layout.str()), IsOk());
}

TEST_F(IndexFileTest, DelistsWhatIsNotCompleteAnyMore) {
  const auto cache = open();
  const Digest digest = put_image(*cache, "layer");
  set_tag(*cache, "v1", digest);
  ASSERT_THAT(cache->sync(), IsOk());
  ASSERT_NE(index().find(digest.text()), std::string::npos);
  // Evicted: the least recently used, which the layer is, and nothing else.
  for (const Digest& used : {digest, *config_}) EXPECT_THAT(cache->find(used), IsOk());
  ASSERT_THAT(cache->prune(cache->status()->used - 1, Context{}), IsOk());
  ASSERT_FALSE(cache->contains(*layer_));
  ASSERT_TRUE(cache->contains(digest));
  ASSERT_THAT(cache->sync(), IsOk());
  EXPECT_EQ(index().find(digest.text()), std::string::npos);
}

TEST_F(IndexFileTest, DelistsWhatVerifyDropped) {
  const auto cache = open();
  const Digest digest = put_image(*cache, "layer");
  set_tag(*cache, "v1", digest);
  ASSERT_THAT(cache->sync(), IsOk());
  ASSERT_NE(index().find(digest.text()), std::string::npos);
  ASSERT_EQ(::chmod(blob_path(*layer_).c_str(), 0600), 0);
  std::ofstream(blob_path(*layer_)) << "worse";
  ASSERT_THAT(cache->verify(nullptr, Context{}), IsOk());
  ASSERT_THAT(cache->sync(), IsOk());
  EXPECT_EQ(index().find(digest.text()), std::string::npos);
}

TEST_F(IndexFileTest, ATagThatIsForgottenOrOfALayoutIsNotListed) {
  const auto cache = open();
  const Digest digest = put_image(*cache, "layer");
  set_tag(*cache, "v1", digest);
  set_tag(*cache, "v2", digest);
  set_tag(*cache, "v3", digest, "oci:/srv/layout");
  cache->remembered().forget_tag("r.example", "a", "v1");
  ASSERT_THAT(cache->sync(), IsOk());
  EXPECT_EQ(index().find("r.example/a:v1"), std::string::npos);
  EXPECT_NE(index().find("r.example/a:v2"), std::string::npos);
  EXPECT_EQ(index().find("v3"), std::string::npos);
}

TEST_F(IndexFileTest, WhatBecomesCompleteAfterItsTagWasReadIsListed) {
  const auto cache = open();
  const Digest digest = put_image(*cache, "layer");
  const std::string manifest = manifest_;
  ASSERT_THAT(cache->prune(0, Context{}), IsOk());
  ASSERT_THAT(cache->put(digest, as_bytes(manifest)), IsOk());
  set_tag(*cache, "v1", digest);
  ASSERT_THAT(cache->sync(), IsOk());
  ASSERT_EQ(index().find(digest.text()), std::string::npos) << "no layer is there yet";
  put_image(*cache, "layer");
  ASSERT_THAT(cache->sync(), IsOk());
  EXPECT_NE(index().find(digest.text()), std::string::npos);
}

TEST_F(IndexFileTest, AReferenceLeadsToItsLastImage) {
  const auto cache = open();
  const Digest first = put_image(*cache, "one");
  set_tag(*cache, "v1", first);
  const Digest second = put_image(*cache, "two");
  set_tag(*cache, "v1", second);
  ASSERT_THAT(cache->sync(), IsOk());
  EXPECT_EQ(index().find(first.text()), std::string::npos);
  EXPECT_NE(index().find(second.text()), std::string::npos);
}

// As `rm -rf` finds it: the names that it had read are gone, and what comes now it never sees.
TEST_F(IndexFileTest, IsNotPutBackIntoAFolderThatIsBeingRemoved) {  // S383
  static std::filesystem::path removed;
  removed = folder();
  for (const bool meanwhile : {false, true}) {
    auto cache = open();
    set_tag(*cache, "v1", put_image(*cache, "layer"));
    const auto remove = [] {
      for (const char* name : {"berth-cache", "oci-layout", "index.json", "state"}) {
        std::filesystem::remove(removed / name);
      }
    };
    static void (*at_the_last_moment)();
    at_the_last_moment = remove;
    fault_hook = [](const char* point) {
      if (std::string_view(point) == "index.write") at_the_last_moment();
    };
    if (!meanwhile) remove();
    cache.reset();
    fault_hook = nullptr;
    EXPECT_FALSE(std::filesystem::exists(folder() / "oci-layout")) << meanwhile;
    EXPECT_FALSE(std::filesystem::exists(folder() / "index.json")) << meanwhile;
    std::filesystem::remove_all(folder());
  }
}

TEST_F(IndexFileTest, TellsThatItIsStaleAlsoWhereNothingWasFetched) {  // S434
  const auto cache = open();
  const Digest one = put_image(*cache, "one");
  set_tag(*cache, "v1", one);
  const Digest two = put_image(*cache, "two");
  EXPECT_TRUE(cache->is_index_stale());
  ASSERT_THAT(cache->sync(), IsOk());
  EXPECT_FALSE(cache->is_index_stale());
  set_tag(*cache, "v1", one);
  EXPECT_FALSE(cache->is_index_stale()) << "it leads where it led";
  set_tag(*cache, "v1", two);
  EXPECT_TRUE(cache->is_index_stale());
  ASSERT_THAT(cache->sync(), IsOk());
  EXPECT_NE(index().find(two.text()), std::string::npos);
  ASSERT_THAT(cache->prune(0, Context{}), IsOk());
  EXPECT_TRUE(cache->is_index_stale());
  ASSERT_THAT(cache->sync(), IsOk());
  EXPECT_EQ(index().find(two.text()), std::string::npos);
  EXPECT_FALSE(cache->is_index_stale());
}

TEST_F(IndexFileTest, SurvivesTheProcess) {
  Digest digest = digest_of(as_bytes(""));
  {
    const auto cache = open();
    digest = put_image(*cache, "layer");
    set_tag(*cache, "v1", digest);
  }
  EXPECT_NE(index().find(digest.text()), std::string::npos) << "written when the cache closes";
}

}  // namespace
}  // namespace berth::cache::test
