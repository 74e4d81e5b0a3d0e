// SPDX-License-Identifier: Apache-2.0
#include "cache/index_file.hpp"

#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "berth/oci/layout.hpp"

#include "unit/cache/cache_fixture.hpp"

namespace berth::cache::test {
namespace {

class IndexFileTest : public CacheTest {
 protected:
  static constexpr const char* kType = "application/vnd.oci.image.manifest.v1+json";
  /// An image of one layer, complete in the cache.
  Digest put_image(Cache& cache, const std::string& layer) {
    const std::string config = R"({"architecture":"amd64","os":"linux"})";
    EXPECT_THAT(cache.put(digest_of(as_bytes(config)), as_bytes(config)), IsOk());
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
  std::string index() const {
    std::ostringstream text;
    text << std::ifstream(folder() / "index.json").rdbuf();
    return text.str();
  }
  std::string manifest_;
  std::optional<Digest> layer_;
};

TEST_F(IndexFileTest, ListsWhatIsComplete) {
  const auto cache = open();
  const Digest digest = put_image(*cache, "layer");
  cache->list_in_index("r.example/a:v1", kType, digest, manifest_.size());
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
  cache->list_in_index("r.example/a:v1", kType, digest, manifest_.size());
  ASSERT_THAT(cache->sync(), IsOk());
  std::filesystem::remove(blob_path(*layer_));
  cache->list_in_index("r.example/a:v2", kType, digest, manifest_.size());
  ASSERT_THAT(cache->sync(), IsOk());
  EXPECT_EQ(index().find(digest.text()), std::string::npos);
}

TEST_F(IndexFileTest, AReferenceLeadsToItsLastImage) {
  const auto cache = open();
  const Digest first = put_image(*cache, "one");
  cache->list_in_index("r.example/a:v1", kType, first, manifest_.size());
  const Digest second = put_image(*cache, "two");
  cache->list_in_index("r.example/a:v1", kType, second, manifest_.size());
  ASSERT_THAT(cache->sync(), IsOk());
  EXPECT_EQ(index().find(first.text()), std::string::npos);
  EXPECT_NE(index().find(second.text()), std::string::npos);
}

TEST_F(IndexFileTest, SurvivesTheProcess) {
  Digest digest = digest_of(as_bytes(""));
  {
    const auto cache = open();
    digest = put_image(*cache, "layer");
    cache->list_in_index("r.example/a:v1", kType, digest, manifest_.size());
  }
  EXPECT_NE(index().find(digest.text()), std::string::npos) << "written when the cache closes";
}

}  // namespace
}  // namespace berth::cache::test
