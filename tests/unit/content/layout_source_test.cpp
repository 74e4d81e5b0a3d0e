// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "unit/content/images.hpp"
#include "unit/content/store_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::ElementsAre;

/// A layout written by hand.
class LayoutSourceTest : public StoreFixture {
 protected:
  void SetUp() override {
    open();
    folder_.write("layout/oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  }

  Part put(const std::string& bytes, const std::string& media_type,
           Algorithm algorithm = Algorithm::sha256) {
    const Digest digest = digest_of(as_bytes(bytes), algorithm);
    folder_.write(name_of(digest), bytes);
    return {media_type, digest, bytes.size()};
  }
  static std::string name_of(const Digest& digest) {
    return "layout/blobs/" + std::string(digest.algorithm_name()) + "/" + std::string(digest.hex());
  }
  Part put_image(const std::string& layer, Algorithm algorithm = Algorithm::sha256,
                 const std::string& more = {}) {
    const Part config = put("{}", std::string(oci::media::kImageConfig));
    const Part part = put(layer, "application/vnd.oci.image.layer.v1.tar", algorithm);
    return put(image_json(config, {part}, more), std::string(oci::media::kImageManifest));
  }
  void write_index(const std::vector<Part>& manifests) {
    folder_.write("layout/index.json", index_json(manifests));
  }
  static Part named(Part part, const std::string& name) {
    part.more = ref_name(name);
    return part;
  }
  std::shared_ptr<content::Source> layout() {
    auto opened = content::open_layout(folder_ / "layout");
    EXPECT_THAT(opened, IsOk());
    return opened ? *opened : nullptr;
  }
};

TEST_F(LayoutSourceTest, TagsAreTheRefNames) {
  const Part image = put_image("one");
  const Part other = put_image("two");
  write_index({named(image, "v1"), named(other, "v2"), named(other, "docker.io/a"), image});
  const auto source = layout();
  auto tags = source->list_tags("", "", soon());
  ASSERT_THAT(tags, IsOk());
  EXPECT_THAT(tags->names, ElementsAre("v1", "v2"));
  auto head = source->head_manifest("", "v2", soon());
  ASSERT_THAT(head, IsOk());
  EXPECT_EQ(head->digest, other.digest);
  EXPECT_EQ(head->size, other.size);
  EXPECT_EQ(head->media_type, oci::media::kImageManifest);
  EXPECT_THAT(source->head_manifest("", "v9", soon()), HasCode(Errc::not_found));
  EXPECT_THAT(source->head_manifest("a", "v1", soon()), HasCode(Errc::not_found));
}

TEST_F(LayoutSourceTest, S396_AFullNameIsShownAsItsTagWhereNoOtherHasTheSame) {
  const Part one = put_image("one");
  const Part two = put_image("two");
  const Part three = put_image("three");
  write_index({named(one, "docker.io/library/hello:v1"), named(two, "localhost:5000/a:both"),
               named(three, "localhost:5000/b:both"), named(one, "x/a:plain"), named(two, "plain"),
               named(three, "localhost:5000/none"), named(one, "x/a:same"),
               named(one, "x/b:same")});
  const auto source = layout();
  auto tags = source->list_tags("", "", soon());
  ASSERT_THAT(tags, IsOk());
  EXPECT_THAT(tags->names, ElementsAre("plain", "same", "v1"));
  EXPECT_EQ(source->head_manifest("", "v1", soon())->digest, one.digest);
  EXPECT_EQ(source->head_manifest("", "plain", soon())->digest, two.digest);
  EXPECT_THAT(source->head_manifest("", "both", soon()), HasCode(Errc::not_found));
}

TEST_F(LayoutSourceTest, S396_ContainerdsNamesTellTagsOfDifferentRepositoriesApart) {
  const auto of_containerd = [](Part part, const std::string& name, const std::string& ref) {
    part.more = R"(,"annotations":{"io.containerd.image.name":")" + name + "\"" +
                (ref.empty() ? "" : R"(,"org.opencontainers.image.ref.name":")" + ref + "\"") + "}";
    return part;
  };
  const Part one = put_image("one");
  const Part two = put_image("two");
  write_index({of_containerd(one, "docker.io/library/a:v1", "v1"),
               of_containerd(two, "docker.io/library/b:v1", "v1"),
               of_containerd(two, "docker.io/library/b:v2", "v2"),
               of_containerd(one, "docker.io/library/a:v3", "")});
  EXPECT_THAT(layout()->list_tags("", "", soon())->names, ElementsAre("v2", "v3"));
  // A plain tag is written beside them: it is meant.
  write_index({of_containerd(one, "docker.io/library/a:v1", "v1"), named(two, "v1")});
  EXPECT_EQ(layout()->head_manifest("", "v1", soon())->digest, two.digest);
}

TEST_F(LayoutSourceTest, S399_SaysWhichManifestsNoTagLeadsTo) {
  const Part image = put_image("one");
  const Part child = put_image("two");
  const Part index = put(index_json({child}), std::string(oci::media::kImageIndex));
  const Part signature = put_image("sig", Algorithm::sha256, R"(,"subject":)" + image.json());
  write_index({named(image, "v1"), named(index, "v2"), child, signature});
  EXPECT_EQ(content::describe_untagged(*layout(), "oci:x", soon()), "");
  const Part other = put_image("three");
  write_index({named(image, "v1"), other});
  EXPECT_EQ(content::describe_untagged(*layout(), "oci:x", soon()),
            "1 manifest has no tag: oci:x@" + other.digest.text());
  write_index({other, image});
  EXPECT_EQ(content::describe_untagged(*layout(), "oci:x", soon()),
            "2 manifests have no tag: oci:x@" + other.digest.text() + ", ...");
}

TEST_F(LayoutSourceTest, IndexIsReadAgainWhenItChanged) {
  const Part image = put_image("one");
  write_index({named(image, "v1")});
  const auto source = layout();
  ASSERT_THAT(source->head_manifest("", "v2", soon()), HasCode(Errc::not_found));
  write_index({named(image, "v1"), named(image, "v2")});
  EXPECT_THAT(source->head_manifest("", "v2", soon()), IsOk());
}

TEST_F(LayoutSourceTest, ReadsWhatLiesInNestedIndexes) {
  const Part image = put_image("one");
  const Part inner = put(index_json({image}), std::string(oci::media::kImageIndex));
  const Part outer = put(index_json({inner}), std::string(oci::media::kImageIndex));
  write_index({named(outer, "v1")});
  const auto source = layout();
  auto document = store_->manifest(source, "", inner.digest, soon());
  ASSERT_THAT(document, IsOk());
  ASSERT_NE(document->index(), nullptr);
  auto manifest = store_->manifest(source, "", image.digest, soon());
  ASSERT_THAT(manifest, IsOk());
  EXPECT_NE(manifest->manifest(), nullptr);
}

TEST_F(LayoutSourceTest, BlobsAreReadInPlace) {
  const std::string bytes = sample_bytes(5 * kMiB);
  for (const Algorithm algorithm : {Algorithm::sha256, Algorithm::sha512}) {
    const Part blob = put(bytes, "application/octet-stream", algorithm);
    write_index({named(put_image("x"), "v1")});
    const auto source = layout();
    auto first = store_->open_blob(source, "", blob.digest, blob.size, soon());
    ASSERT_THAT(first, IsOk());
    EXPECT_FALSE((*first)->complete());
    EXPECT_FALSE((*first)->file_range(0, 10).has_value());
    EXPECT_THAT(read_all(**first), IsOkAndHolds(bytes));
    EXPECT_TRUE((*first)->file_range(0, bytes.size()).has_value());
    // Once found right it need not be hashed again.
    auto second = store_->open_blob(source, "", blob.digest, blob.size, soon());
    ASSERT_THAT(second, IsOk());
    EXPECT_TRUE((*second)->complete());
    EXPECT_FALSE(cache_->contains(blob.digest));
  }
}

TEST_F(LayoutSourceTest, WhoMustNotWaitDoesNotHashTheFile) {
  const std::string bytes = sample_bytes(5 * kMiB);
  const Part blob = put(bytes, "application/octet-stream");
  write_index({});
  const auto source = layout();
  const auto one = *store_->open_blob(source, "", blob.digest, blob.size, Context().nonblocking());
  std::byte byte{};
  const auto last = std::span(&byte, 1);
  EXPECT_THAT(one->read(0, last, Context().nonblocking()), IsOk());
  EXPECT_THAT(one->read(blob.size - 1, last, Context().nonblocking()), HasCode(Errc::would_block));
  EXPECT_FALSE(one->settled());
  EXPECT_THAT(one->read(blob.size - 1, last, soon()), IsOk());
  EXPECT_TRUE(one->settled());
  EXPECT_THAT(one->read(blob.size - 1, last, Context().nonblocking()), IsOk());
}

TEST_F(LayoutSourceTest, ADamagedFileIsNotBelieved) {
  std::string bytes = sample_bytes(5 * kMiB);
  const Part large = put(bytes, "application/octet-stream");
  const Part small = put("hello", "application/octet-stream");
  write_index({});
  bytes[7] ^= 1;
  folder_.write(name_of(large.digest), bytes);
  folder_.write(name_of(small.digest), "hellO");
  const auto source = layout();
  auto reader = store_->open_blob(source, "", large.digest, large.size, soon());
  ASSERT_THAT(reader, IsOk());
  EXPECT_THAT(read(**reader, 0, 10), IsOk());
  EXPECT_THAT(read(**reader, large.size - 1, 1), HasCode(Errc::digest_mismatch));
  EXPECT_THAT(read(**reader, 0, 10), HasCode(Errc::digest_mismatch));
  EXPECT_THAT(store_->small_blob(source, "", small.digest, small.size, 100, soon()),
              HasCode(Errc::digest_mismatch));
}

TEST_F(LayoutSourceTest, AFileThatChangesAfterItWasVerifiedIsHashedAgain) {
  const Part blob = put("hello", "application/octet-stream");
  write_index({});
  const auto source = layout();
  ASSERT_THAT(store_->small_blob(source, "", blob.digest, blob.size, 100, soon()), IsOk());
  folder_.write(name_of(blob.digest), "hellO");
  EXPECT_THAT(store_->small_blob(source, "", blob.digest, blob.size, 100, soon()),
              HasCode(Errc::digest_mismatch));
}

TEST_F(LayoutSourceTest, AMissingBlobIsNotFound) {
  const Part image = put_image("one");
  write_index({named(image, "v1")});
  std::filesystem::remove(folder_ / name_of(image.digest));
  const auto source = layout();
  EXPECT_THAT(source->get_manifest("", "v1", soon()), HasCode(Errc::not_found));
  EXPECT_THAT(store_->manifest(source, "", image.digest, soon()), HasCode(Errc::not_found));
  EXPECT_THAT(store_->open_blob(source, "", image.digest, image.size, soon()),
              HasCode(Errc::not_found));
  EXPECT_FALSE(source->local_file(image.digest).has_value());
}

TEST_F(LayoutSourceTest, FindsReferrersBySubject) {
  const Part image = put_image("one");
  const Part signature =
      put_image("sig", Algorithm::sha256,
                R"(,"artifactType":"application/vnd.example.sig","subject":)" + image.json());
  write_index({named(image, "v1"), signature});
  const auto source = layout();
  auto found = source->referrers("", image.digest, soon());
  ASSERT_THAT(found, IsOk());
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ((*found)[0].digest, signature.digest);
  EXPECT_EQ((*found)[0].artifact_type, "application/vnd.example.sig");
  EXPECT_THAT(source->referrers("", signature.digest, soon()), IsOkAndHolds(::testing::IsEmpty()));
}

TEST_F(LayoutSourceTest, RefusesWhatIsNoLayout) {
  EXPECT_THAT(content::open_layout(folder_ / "nowhere"), HasCode(Errc::not_found));
  EXPECT_THAT(content::open_layout(folder_ / "layout"), HasCode(Errc::not_found));  // no index
  folder_.write("layout/index.json", "{");
  EXPECT_THAT(content::open_layout(folder_ / "layout"), HasCode(Errc::corrupt));
  folder_.write("layout/oci-layout", R"({"imageLayoutVersion":"2.0.0"})");
  EXPECT_THAT(content::open_layout(folder_ / "layout"), HasCode(Errc::unsupported));
}

}  // namespace
}  // namespace berth::test
