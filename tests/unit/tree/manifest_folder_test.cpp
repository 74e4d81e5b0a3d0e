// SPDX-License-Identifier: Apache-2.0
// docs/semantics.md, "A manifest's folder" and "Digests".
#include "unit/tree/tree_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kAmd64 = R"({"os":"linux","architecture":"amd64"})";
constexpr const char* kArm64 = R"({"os":"linux","architecture":"arm64"})";

TEST_F(SemanticsTest, S50_ManifestAndConfigAreTheExactBytes) {
  const Digest digest = registry().push_image("a", "v1", {}, R"({ "architecture" : "amd64" })");
  EXPECT_EQ(digest_of(as_bytes(read("r.example/a/v1/manifest.json"))), digest);
  EXPECT_EQ(read("r.example/a/v1/config.json"), R"({ "architecture" : "amd64" })");
  EXPECT_EQ(find("r.example/a/v1/manifest.json")->attributes.size,
            read("r.example/a/v1/manifest.json").size());
  EXPECT_EQ(find("r.example/a/v1/config.json")->attributes.size, 28U);
}

TEST_F(SemanticsTest, S51_LayersAreNumberedLinksToBlobs) {
  std::vector<std::pair<std::string, std::string>> layers;
  for (int i = 0; i < 101; ++i) layers.emplace_back("", "layer " + std::to_string(i));
  registry().push_image("a", "many", layers);
  layers.resize(100);
  registry().push_image("a", "few", layers);
  EXPECT_EQ(names("r.example/a/few/layers").back(), "99.tar.gz@");
  EXPECT_EQ(names("r.example/a/many/layers").back(), "100.tar.gz@");
  EXPECT_EQ(names("r.example/a/many/layers").front(), "000.tar.gz@");
  EXPECT_EQ(target("r.example/a/few/layers/07.tar.gz"),
            "../../../../.blobs/sha256/" + hex(digest_of(as_bytes("layer 7"))));
  EXPECT_EQ(read("r.example/a/many/layers/100.tar.gz"), "layer 100");
  EXPECT_EQ(error("r.example/a/few/layers/100.tar.gz"), Errc::not_found);
}

TEST_F(SemanticsTest, S52_AnArtifactsFilesBearTheirTitles) {
  registry().push_image(
      "a", "v1",
      {{titled("model.bin"), "weights"}, {titled("doc/a/read.me"), "text"}, {"", "untitled"}});
  EXPECT_THAT(names("r.example/a/v1/files"), ElementsAre("doc/", "model.bin"));
  EXPECT_THAT(names("r.example/a/v1/files/doc"), ElementsAre("a/"));
  EXPECT_EQ(read("r.example/a/v1/files/doc/a/read.me"), "text");
  EXPECT_EQ(find("r.example/a/v1/files/model.bin")->attributes.size, 7U);
  EXPECT_EQ(error("r.example/a/v1/files/doc/b"), Errc::not_found);
  registry().push_image("a", "image", {{"", "layer"}});
  EXPECT_EQ(error("r.example/a/image/files"), Errc::not_found) << "nothing has a title";
}

TEST_F(SemanticsTest, S53_TitlesAreMadeSafe) {
  registry().push_image("a", "v1",
                        {{titled("../../etc/passwd"), "1"},
                         {titled("/absolute//./x"), "2"},
                         {titled(""), "3"},
                         {titled("a\\u0000b\\n\\u001b[31m"), "4"},
                         {titled(".."), "5"},
                         {titled("rtl\\u202egpj.exe"), "6"},
                         {titled("c1\\u0085"), "7"}});
  EXPECT_THAT(names("r.example/a/v1/files"),
              ElementsAre("_", "__/", "__~2", "a_b__[31m", "absolute/", "c1_", "rtl_gpj.exe"));
  EXPECT_EQ(read("r.example/a/v1/files/__/__/etc/passwd"), "1");
  EXPECT_EQ(read("r.example/a/v1/files/absolute/x"), "2");
}

TEST_F(SemanticsTest, S54_OneTitleTwiceGivesTwoNames) {
  registry().push_image(
      "a", "v1",
      {{titled("x"), "1"}, {titled("x"), "2"}, {titled("x"), "3"}, {titled("x~2"), "4"}});
  EXPECT_THAT(names("r.example/a/v1/files"), ElementsAre("x", "x~2", "x~2~2", "x~3"));
  EXPECT_EQ(read("r.example/a/v1/files/x~3"), "3");
  EXPECT_EQ(read("r.example/a/v1/files/x~2~2"), "4");
}

TEST_F(SemanticsTest, S55_OfATitleThatIsFileAndFolderTheFirstKeepsTheName) {
  registry().push_image("a", "v1",
                        {{titled("d"), "file"},
                         {titled("d/x"), "1"},
                         {titled("d/y"), "2"},
                         {titled("e/z"), "3"},
                         {titled("e"), "4"}});
  EXPECT_THAT(names("r.example/a/v1/files"), ElementsAre("d", "d~2/", "e/", "e~2"));
  EXPECT_THAT(names("r.example/a/v1/files/d~2"), ElementsAre("x", "y"));
  EXPECT_EQ(read("r.example/a/v1/files/e~2"), "4");
}

TEST_F(SemanticsTest, S56_AnIndexHasALinkForEachOfItsManifests) {
  const Digest one = registry().push_image("a", "", {{"", "1"}});
  const Digest two = registry().push_image("a", "", {{"", "2"}});
  registry().push_index("a", "v1", {{kAmd64, one}, {kArm64, two}, {kAmd64, two}, {"", one}});
  EXPECT_THAT(
      names("r.example/a/v1/platforms"),
      ElementsAre(hex(one).substr(0, 12) + "@", "linux-amd64@", "linux-amd64-2@", "linux-arm64@"));
  EXPECT_EQ(target("r.example/a/v1/platforms/linux-amd64"), "../../../sha256/" + hex(one));
  EXPECT_EQ(target("r.example/a/v1/platforms/linux-amd64-2"), "../../../sha256/" + hex(two));
  EXPECT_EQ(read("r.example/a/v1/platforms/linux-arm64/layers/00.tar.gz"), "2");
}

TEST_F(SemanticsTest, S57_AnIndexLeadsToThePlatformOfTheTree) {
  const Digest image = registry().push_image("a", "", {{titled("f"), "1"}}, R"({"os":"linux"})");
  const Digest index = registry().push_index("a", "v1", {{kAmd64, image}});
  EXPECT_THAT(names("r.example/a/v1"), ElementsAre("config.json@", "files@", "layers@",
                                                   "manifest.json", "platforms/", "referrers/"));
  EXPECT_EQ(target("r.example/a/v1/config.json"), "../../sha256/" + hex(image) + "/config.json");
  EXPECT_EQ(read("r.example/a/v1/config.json"), R"({"os":"linux"})");
  EXPECT_EQ(read("r.example/a/v1/layers/00.tar.gz"), "1");
  EXPECT_EQ(read("r.example/a/v1/files/f"), "1");
  EXPECT_EQ(digest_of(as_bytes(read("r.example/a/v1/manifest.json"))), index);

  options.platform = {"windows", "amd64", "", ""};
  restart();
  EXPECT_THAT(names("r.example/a/v1"), ElementsAre("manifest.json", "platforms/", "referrers/"));
  EXPECT_EQ(error("r.example/a/v1/config.json"), Errc::not_found);
}

TEST_F(SemanticsTest, S58_OfAPlatformThatTheRegistryDoesNotHoldNothingIsShown) {
  const Digest image = registry().push_image("a", "", {{"", "1"}});
  registry().push_index("a", "v1", {{kAmd64, image}});
  registry().repositories["a"].manifests.erase(image);
  EXPECT_THAT(names("r.example/a/v1"), ElementsAre("manifest.json", "platforms/", "referrers/"));
  EXPECT_EQ(error("r.example/a/v1/layers"), Errc::not_found);
  EXPECT_EQ(error("r.example/a/v1/platforms/linux-amd64/manifest.json"), Errc::not_found);
}

TEST_F(SemanticsTest, S455_WhetherAPlatformHasFilesIsNotGuessed) {
  const Digest image = registry().push_image("a", "", {{titled("f"), "1"}});
  registry().push_index("a", "v1", {{kAmd64, image}});
  read("r.example/a/v1/manifest.json");
  for (const Errc code : {Errc::rate_limited, Errc::unavailable, Errc::timeout, Errc::denied}) {
    registry().refusals.insert_or_assign("manifest", Error(code, "not now"));
    EXPECT_EQ(error("r.example/a/v1/files"), code);
    EXPECT_THAT(names("r.example/a/v1"), ElementsAre("config.json@", "files@", "layers@",
                                                     "manifest.json", "platforms/", "referrers/"));
    see("r.example/a/v1/layers");
  }
  registry().refusals.clear();
  EXPECT_EQ(read("r.example/a/v1/files/f"), "1");
}

TEST_F(SemanticsTest, S456_AbsenceThatAPushMayEndIsNotForEver) {
  const Digest image = registry().push_image("a", "", {{titled("f"), "1"}});
  registry().push_index("a", "v1", {{kAmd64, image}});
  const auto held = registry().repositories["a"].manifests;
  registry().repositories["a"].manifests.erase(image);
  const auto folder = find("r.example/a/v1", true);
  ASSERT_THAT(folder, IsOk());
  for (const char* name : {"config.json", "files", "layers"}) {
    EXPECT_THAT(tree().lookup(folder->node, name, {}), HasCode(Errc::not_found)) << name;
    EXPECT_EQ(tree().negative_ttl(folder->node, name), std::chrono::seconds(5)) << name;
  }
  registry().repositories["a"].manifests = held;
  for (const char* name : {"config.json", "files", "layers"}) {
    EXPECT_THAT(tree().lookup(folder->node, name, {}), IsOk()) << name;
  }
}

TEST_F(SemanticsTest, S59_WhatBerthCannotReadIsAManifestAndNothingElse) {
  const std::string schema1 = R"({"schemaVersion":1,"name":"a","fsLayers":[]})";
  registry().push("a", "schema1", std::string(oci::media::kDockerSchema1), schema1);
  registry().push("a", "unknown", "application/vnd.example.thing.v1+json", R"({"x":1})");
  registry().push(
      "a", "both", std::string(oci::media::kImageManifest),
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[],"manifests":[]})");
  for (const char* tag : {"schema1", "unknown", "both"}) {
    EXPECT_THAT(names(std::string("r.example/a/") + tag), ElementsAre("manifest.json")) << tag;
  }
  EXPECT_EQ(read("r.example/a/schema1/manifest.json"), schema1);
  const auto config = find("r.example/a/schema1/config.json");
  ASSERT_THAT(config, HasCode(Errc::not_found));
  EXPECT_THAT(config.error().message(), ::testing::HasSubstr("shown as manifest.json only: "));
}

TEST_F(SemanticsTest, S60_ReferrersAreLinksToManifestsKeptForTheirTime) {
  const Digest image = registry().push_image("a", "v1", {});
  const Digest signature = registry().push_image("a", "", {{"", "sig"}});
  oci::Descriptor referrer{.media_type = std::string(oci::media::kImageManifest),
                           .digest = signature,
                           .size = 1,
                           .artifact_type = "x/y",
                           .annotations = {},
                           .platform = {},
                           .urls = {}};
  registry().repositories["a"].referrers[image] = {referrer, referrer};
  EXPECT_THAT(names("r.example/a/v1/referrers"), ElementsAre(hex(signature) + "@"));
  EXPECT_EQ(target("r.example/a/v1/referrers/" + hex(signature)),
            "../../../sha256/" + hex(signature));
  EXPECT_EQ(read("r.example/a/v1/referrers/" + hex(signature) + "/layers/00.tar.gz"), "sig");
  EXPECT_EQ(error("r.example/a/v1/referrers/" + hex(image)), Errc::not_found);
  EXPECT_EQ(registry().count("referrers"), 1U);
  EXPECT_EQ(error("r.example/a/v1/referrers/not-hex"), Errc::not_found);
  registry().repositories["a"].referrers.clear();
  world.clock.advance(std::chrono::seconds(61));
  EXPECT_THAT(names("r.example/a/v1/referrers"), IsEmpty());
  registry().can.referrers = false;
  EXPECT_EQ(error("r.example/a/v1/referrers"), Errc::not_found);
}

TEST_F(SemanticsTest, S61_FilesHaveTheStatedCreationTimeElseThatOfTheFolder) {
  registry().push_image(
      "a", "stated", {{"", "1"}}, "{}",
      R"(,"annotations":{"org.opencontainers.image.created":"2020-01-02T03:04:05Z"})");
  registry().push_image(
      "a", "epoch", {{"", "2"}}, "{}",
      R"(,"annotations":{"org.opencontainers.image.created":"1980-01-01T00:00:00Z"})");
  registry().push_image("a", "config", {{"", "3"}}, R"({"created":"2021-01-01T00:00:00Z"})");
  EXPECT_EQ(find("r.example/a/stated/manifest.json")->attributes.mtime, 1'577'934'245);
  EXPECT_EQ(find("r.example/a/stated/layers/00.tar.gz")->attributes.mtime, 1'577'934'245);
  EXPECT_EQ(find("r.example/a/epoch/manifest.json")->attributes.mtime, 1'700'000'000);
  EXPECT_EQ(find("r.example/a/config/manifest.json")->attributes.mtime, 1'700'000'000);
  EXPECT_EQ(registry().count("blob"), 0U) << "a date is worth no request";
  read("r.example/a/config/config.json");
  EXPECT_EQ(find("r.example/a/config/manifest.json")->attributes.mtime, 1'609'459'200);
}

TEST_F(SemanticsTest, S70_ADigestIsVisibleOnlyWhereTheRepositoryHoldsIt) {
  const Digest digest = registry().push_image("private", "v1", {{"", "secret"}});
  registry().push_image("mine", "v1", {});
  ASSERT_EQ(read("r.example/private/v1/layers/00.tar.gz"), "secret");
  EXPECT_EQ(error("r.example/mine/.manifests/sha256/" + hex(digest)), Errc::not_found);
  const std::string blob = "r.example/mine/.blobs/sha256/" + hex(digest_of(as_bytes("secret")));
  EXPECT_EQ(error(blob), Errc::not_found);
  EXPECT_EQ(registry().count("head blob"), 1U);
  EXPECT_EQ(error(blob), Errc::not_found);
  EXPECT_EQ(registry().count("head blob"), 1U) << "absence is kept";
  registry().push_blob("mine", "secret");
  world.clock.advance(std::chrono::seconds(6));
  EXPECT_EQ(read(blob), "secret");
}

TEST_F(SemanticsTest, S71_ABlobIsNoManifestAndAManifestNoBlob) {
  const Digest digest = registry().push_image("a", "v1", {{"", "layer"}});
  ASSERT_EQ(read("r.example/a/v1/layers/00.tar.gz"), "layer");
  EXPECT_EQ(error("r.example/a/.blobs/sha256/" + hex(digest)), Errc::not_found);
  EXPECT_EQ(error("r.example/a/.manifests/sha256/" + hex(digest_of(as_bytes("layer")))),
            Errc::not_found);
}

TEST_F(SemanticsTest, S72_DigestFoldersListWhatIsKnownAndAskNothing) {
  const Digest image = registry().push_image("a", "", {{"", "1"}});
  const Digest index = registry().push_index("a", "v1", {{kAmd64, image}});
  EXPECT_THAT(names("r.example/a/.manifests/sha256"), IsEmpty());
  ASSERT_THAT(find("r.example/a/v1"), IsOk());
  EXPECT_THAT(names("r.example/a/.manifests/sha256"), ElementsAre(hex(index) + "/"));
  ASSERT_EQ(read("r.example/a/v1/layers/00.tar.gz"), "1");
  const std::size_t before = registry().requests();
  EXPECT_THAT(names("r.example/a/.manifests"), ElementsAre("sha256/"));
  EXPECT_THAT(names("r.example/a/.manifests/sha256"),
              ::testing::UnorderedElementsAre(hex(index) + "/", hex(image) + "/"));
  EXPECT_THAT(names("r.example/a/.blobs/sha256"),
              ::testing::UnorderedElementsAre(hex(digest_of(as_bytes("1"))),
                                              hex(digest_of(as_bytes("{}")))));
  EXPECT_EQ(registry().requests(), before);
  restart();
  EXPECT_THAT(names("r.example/a/.blobs/sha256"), Contains(hex(digest_of(as_bytes("1")))))
      << "from remembered tags and cached manifests";
}

TEST_F(SemanticsTest, S73_APastedDigestIsALinkToItsPlace) {
  const Digest digest = registry().push_image("a", "v1", {{"", "layer"}});
  EXPECT_EQ(target("r.example/a/.manifests/" + digest.text()), "sha256/" + hex(digest));
  const Digest layer = digest_of(as_bytes("layer"));
  EXPECT_EQ(target("r.example/a/.blobs/" + layer.text()), "sha256/" + hex(layer));
  EXPECT_EQ(read("r.example/a/.blobs/" + layer.text()), "layer");
  EXPECT_EQ(error("r.example/a/.blobs/sha256:00"), Errc::not_found);
  EXPECT_EQ(error("r.example/a/.blobs/md5"), Errc::not_found);
}

TEST_F(SemanticsTest, S74_NoFolderHasTwoPathsAndEveryIdentityIsItsOwn) {
  const Digest digest = registry().push_image("a", "v1", {{titled("f"), "same"}});
  registry().push_image("b", "v1", {{titled("f"), "same"}});
  std::set<std::string> identities;
  for (const std::string repository : {"r.example/a", "r.example/b"}) {
    const std::string manifest = repository + "/.manifests/sha256/" + hex(digest);
    for (const std::string& path :
         {repository, repository + "/v1", repository + ":v1", repository + "/.manifests",
          repository + "/.blobs", repository + "/.manifests/sha256", manifest,
          manifest + "/manifest.json", manifest + "/config.json", manifest + "/layers",
          manifest + "/layers/00.tar.gz", manifest + "/files", manifest + "/files/f",
          manifest + "/referrers",
          repository + "/.blobs/sha256/" + hex(digest_of(as_bytes("same")))}) {
      const auto at = find(path);
      ASSERT_THAT(at, IsOk()) << path;
      EXPECT_TRUE(identities.insert(at->node->identity()).second) << path;
      EXPECT_EQ(find(path)->node->identity(), at->node->identity()) << path;
    }
  }
}

TEST_F(SemanticsTest, S75_NamesUnderADigestAreForEver) {
  const Digest digest = registry().push_image("a", "v1", {{"", "layer"}});
  for (const char* name : {"manifest.json", "config.json", "layers", "layers/00.tar.gz"}) {
    EXPECT_EQ(find(std::string("r.example/a/v1/") + name)->ttl, tree::kForever) << name;
  }
  EXPECT_EQ(tree().negative_ttl(find("r.example/a/v1", true)->node, "other"), tree::kForever);
  EXPECT_EQ(find("r.example/a/.manifests/sha256/" + hex(digest))->ttl, std::chrono::seconds(60));
  world.clock.advance(std::chrono::seconds(20));
  EXPECT_EQ(find("r.example/a/v1")->ttl, std::chrono::seconds(40)) << "a tag: what is left";
}

TEST_F(SemanticsTest, S76_MeaningTellsANodeInTheRegistrysTerms) {
  const Digest digest = registry().push_image("a", "v1", {{titled("f"), "data"}});
  const auto meaning = [&](const std::string& path) {
    return *tree().meaning(find(path)->node, {});
  };
  EXPECT_EQ(meaning("r.example/a/v1").tag, "v1");
  EXPECT_EQ(meaning("r.example/a/v1").digest, digest);
  EXPECT_TRUE(meaning("r.example/a").is_repository);
  EXPECT_TRUE(meaning("r.example/a/v1/").is_manifest);
  EXPECT_FALSE(meaning("r.example/a/v1/manifest.json").is_manifest) << "the file is not the folder";
  EXPECT_EQ(meaning("r.example/a/v1/manifest.json").digest, digest);
  EXPECT_FALSE(meaning("r.example/a/v1/files").is_manifest);
  EXPECT_EQ(meaning("r.example/a/v1/files/f").digest, digest_of(as_bytes("data")));
  EXPECT_TRUE(meaning("r.example/a/v1/files/f").is_blob);
  EXPECT_EQ(meaning("r.example/a/v1/files/f").size, 4U);
  EXPECT_EQ(meaning("r.example/a/v1/files/f").source->name(), "r.example");
}

}  // namespace
}  // namespace berth::test
