// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "unit/content/images.hpp"
#include "unit/content/store_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::HasSubstr;

class StoreTest : public StoreFixture {
 protected:
  void SetUp() override { open(); }

  std::shared_ptr<FakeSource> other_ = std::make_shared<FakeSource>("other.test");
};

TEST_F(StoreTest, FetchesAManifestOnce) {
  const Image image = push_image(*source_, {100});
  for (int i = 0; i < 2; ++i) {
    auto document = store_->manifest(source_, "a", image.manifest.digest, soon());
    ASSERT_THAT(document, IsOk());
    EXPECT_EQ(document->manifest()->layers.size(), 1U);
  }
  EXPECT_EQ(source_->manifests(), 1);
  EXPECT_EQ(source_->heads(), 0);
  EXPECT_EQ(store_->counters().cache_hits, 1U);
}

TEST_F(StoreTest, RefusesAManifestOfAnotherDigest) {
  const Image image = push_image(*source_, {100});
  source_->always({.wrong_byte = 10});
  auto document = store_->manifest(source_, "a", image.manifest.digest, soon());
  ASSERT_THAT(document, HasCode(Errc::digest_mismatch));
  EXPECT_THAT(document.error().message(), HasSubstr("registry.test:5000/a"));
  EXPECT_FALSE(cache_->contains(image.manifest.digest));
}

TEST_F(StoreTest, KeepsTheTypeOfManifestsThatItDoesNotParse) {
  const std::string type = "application/vnd.example.unknown+json";
  const Digest digest = source_->add_manifest("{}", type);
  for (int i = 0; i < 2; ++i) {
    auto raw = store_->raw_manifest(source_, "a", digest, soon());
    ASSERT_THAT(raw, IsOk());
    EXPECT_EQ(raw->media_type, type);
    EXPECT_EQ(raw->raw, "{}");
  }
}

TEST_F(StoreTest, HidesACachedManifestFromARepositoryWithoutIt) {
  const Image image = push_image(*source_, {100});
  ASSERT_THAT(store_->manifest(source_, "a", image.manifest.digest, soon()), IsOk());
  EXPECT_THAT(store_->manifest(other_, "b", image.manifest.digest, soon()),
              HasCode(Errc::not_found));
  EXPECT_EQ(other_->heads(), 1);
  push_image(*other_, {100});
  EXPECT_THAT(store_->manifest(other_, "b", image.manifest.digest, soon()), IsOk());
  EXPECT_EQ(other_->heads(), 2);
  EXPECT_EQ(other_->manifests(), 0);
  // Seen once, it is not asked for again.
  EXPECT_THAT(store_->manifest(other_, "b", image.manifest.digest, soon()), IsOk());
  EXPECT_EQ(other_->heads(), 2);
}

TEST_F(StoreTest, HidesACachedBlobFromARepositoryWithoutIt) {
  const std::string bytes = sample_bytes(1000);
  const Digest digest = source_->add(bytes);
  ASSERT_THAT(read_all(*reader(digest, bytes.size())), IsOkAndHolds(bytes));
  EXPECT_THAT(store_->open_blob(other_, "b", digest, bytes.size(), soon()),
              HasCode(Errc::not_found));
  other_->add(bytes);
  auto opened = store_->open_blob(other_, "b", digest, bytes.size(), soon());
  ASSERT_THAT(opened, IsOk());
  EXPECT_TRUE((*opened)->complete());
  EXPECT_TRUE(other_->gets().empty());
}

TEST_F(StoreTest, AManifestThatWasReadVouchesForWhatItNames) {
  const Image image = push_image(*source_, {1000, 2000});
  auto document = store_->manifest(source_, "a", image.manifest.digest, soon());
  ASSERT_THAT(document, IsOk());
  const auto& layer = document->manifest()->layers[1];
  auto opened = store_->open_blob(source_, "a", layer.digest, layer.size, soon());
  ASSERT_THAT(opened, IsOk());
  EXPECT_THAT(read_all(**opened), IsOkAndHolds(image.layers[1]));
  EXPECT_EQ(source_->heads(), 0);
}

TEST_F(StoreTest, AManifestDoesNotVouchForItsSubject) {
  const std::string bytes = sample_bytes(1000);
  const Digest subject = source_->add(bytes);
  const Part part{std::string(oci::media::kImageManifest), subject, bytes.size()};
  const Image image = push_image(*source_, {10}, 1, R"(,"subject":)" + part.json());
  ASSERT_THAT(store_->manifest(source_, "a", image.manifest.digest, soon()), IsOk());
  EXPECT_FALSE(cache_->remembered().seen(source_->name(), "a", subject).has_value());
}

TEST_F(StoreTest, OfflineShowsWhatIsCachedAndSaysWhatIsNot) {
  const Image image = push_image(*source_, {1000, 2000});
  auto document = store_->manifest(source_, "a", image.manifest.digest, soon());
  ASSERT_THAT(document, IsOk());
  const auto layers = document->manifest()->layers;
  ASSERT_THAT(read_all(*reader(layers[0].digest, layers[0].size)), IsOk());
  const auto asked = source_->gets().size();

  open({.offline = true});
  EXPECT_THAT(store_->manifest(source_, "a", image.manifest.digest, soon()), IsOk());
  EXPECT_THAT(read_all(*reader(layers[0].digest, layers[0].size)), IsOkAndHolds(image.layers[0]));
  auto absent = store_->open_blob(source_, "a", layers[1].digest, layers[1].size, soon());
  ASSERT_THAT(absent, HasCode(Errc::unavailable));
  EXPECT_THAT(absent.error().message(), HasSubstr("not in the cache"));
  EXPECT_THAT(store_->open_blob(source_, "b", layers[0].digest, layers[0].size, soon()),
              HasCode(Errc::unavailable));
  EXPECT_THAT(store_->manifest(source_, "b", image.manifest.digest, soon()),
              HasCode(Errc::unavailable));
  EXPECT_EQ(source_->gets().size(), asked);
  EXPECT_EQ(source_->heads(), 0);
}

TEST_F(StoreTest, WhoMustNotWaitDoesNotHashWhatTheMachineMayHaveLost) {
  const Image image = push_image(*source_, {1000});
  auto document = store_->manifest(source_, "a", image.manifest.digest, soon());
  ASSERT_THAT(document, IsOk());
  const auto layer = document->manifest()->layers[0];
  ASSERT_THAT(read_all(*reader(layer.digest, layer.size)), IsOk());
  boot_ = "boot-2";
  open();
  const Context now = Context().nonblocking();
  EXPECT_THAT(store_->open_blob(source_, "a", layer.digest, layer.size, now),
              HasCode(Errc::would_block));
  EXPECT_THAT(store_->manifest(source_, "a", image.manifest.digest, now),
              HasCode(Errc::would_block));
  const auto asked = source_->gets().size();
  EXPECT_THAT(read_all(*reader(layer.digest, layer.size)), IsOkAndHolds(image.layers[0]));
  EXPECT_THAT(store_->open_blob(source_, "a", layer.digest, layer.size, now), IsOk());
  EXPECT_EQ(source_->gets().size(), asked) << "it was there, and right";
}

TEST_F(StoreTest, GivesASmallBlobWhole) {
  const std::string bytes = sample_bytes(3000);
  const Digest digest = source_->add(bytes);
  EXPECT_THAT(store_->small_blob(source_, "a", digest, bytes.size(), 3000, soon()),
              IsOkAndHolds(bytes));
  EXPECT_THAT(store_->small_blob(source_, "a", digest, bytes.size(), 2999, soon()),
              HasCode(Errc::too_large));
}

TEST_F(StoreTest, TheEmptyBlobCostsNoDownload) {
  const Digest digest = source_->add("");
  const auto one = reader(digest, 0);
  EXPECT_TRUE(one->complete());
  EXPECT_THAT(read(*one, 0, 10), IsOkAndHolds(std::string()));
  EXPECT_TRUE(source_->gets().empty());
  const Digest not_empty = source_->add("x");
  EXPECT_THAT(store_->open_blob(source_, "a", not_empty, 0, soon()),
              HasCode(Errc::digest_mismatch));
}

TEST_F(StoreTest, ReadsBlobsOfSha512) {
  const std::string bytes = sample_bytes(5 * kMiB);
  const Digest digest = source_->add(bytes, Algorithm::sha512);
  EXPECT_THAT(read_all(*reader(digest, bytes.size())), IsOkAndHolds(bytes));
  EXPECT_TRUE(reader(digest, bytes.size())->complete());
}

TEST_F(StoreTest, NamesAnAlgorithmThatItCannotCompute) {
  const auto digest = Digest::parse("blake3:" + std::string(64, 'a'));
  ASSERT_THAT(digest, IsOk());
  EXPECT_THAT(store_->open_blob(source_, "a", *digest, 10, soon()), HasCode(Errc::unsupported));
}

TEST_F(StoreTest, ASizeThatTheRegistryDeniesIsAMismatch) {
  const std::string bytes = sample_bytes(1000);
  const Digest digest = source_->add(bytes);
  EXPECT_THAT(store_->open_blob(source_, "a", digest, 999, soon()), HasCode(Errc::digest_mismatch));
  ASSERT_THAT(read_all(*reader(digest, bytes.size())), IsOk());
  EXPECT_THAT(store_->open_blob(source_, "a", digest, 999, soon()), HasCode(Errc::digest_mismatch));
}

}  // namespace
}  // namespace berth::test
