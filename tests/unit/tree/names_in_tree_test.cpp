// SPDX-License-Identifier: Apache-2.0
// docs/semantics.md, "Roots" and "Names".
#include <algorithm>

#include "berth/base/log.hpp"

#include "unit/tree/tree_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using tree::Root;
using tree::Type;

TEST_F(SemanticsTest, S01_TheTopShowsKnownAndNamedHosts) {
  registry();
  world.registry("localhost:5000");
  options.root.named = {"named.example:443", "not a host"};
  EXPECT_THAT(names("/"), ElementsAre("localhost:5000/", "named.example:443/", "r.example/"));
  EXPECT_EQ(registry().requests(), 0U);
}

TEST_F(SemanticsTest, S02_AnyOtherHostIsAbsentWithoutARequest) {
  registry();
  for (const char* name : {"github.com", ".git", "r.exampl", "R.EXAMPLE", "x"}) {
    EXPECT_EQ(error(name), Errc::not_found) << name;
  }
  EXPECT_EQ(registry().requests(), 0U);
}

TEST_F(SemanticsTest, S03_ARootShowsWhatTheWholeTreeShowsThere) {
  const Digest digest = registry().push_image("a/b", "v1", {{"", "layer"}});
  EXPECT_THAT(names("r.example/a/b"), ElementsAre("v1@"));
  show(Root::Kind::registry);
  EXPECT_THAT(names("/"), ElementsAre("a/"));
  show(Root::Kind::repository, "a/b");
  EXPECT_THAT(names("/"), ElementsAre("v1@"));
  EXPECT_EQ(target("v1"), ".manifests/sha256/" + hex(digest));
  EXPECT_THAT(names("v1"), ElementsAre("config.json", "layers/", "manifest.json", "referrers/"));
}

TEST_F(SemanticsTest, S04_AManifestAsRootHasItsContentBesideItAndLinksToIt) {
  const Digest image = registry().push_image("a", "v1", {{"", "layer"}});
  const Digest index =
      registry().push_index("a", "all", {{R"({"os":"linux","architecture":"amd64"})", image}});
  show(Root::Kind::manifest, "a", "v1");
  EXPECT_THAT(names("/"), ElementsAre("config.json", "layers/", "manifest.json", "referrers/"));
  EXPECT_EQ(target("layers/00.tar.gz"), "../.blobs/sha256/" + hex(digest_of(as_bytes("layer"))));
  EXPECT_EQ(read("layers/00.tar.gz"), "layer");
  EXPECT_EQ(read(".manifests/sha256/" + hex(image) + "/layers/00.tar.gz"), "layer");

  show(Root::Kind::manifest, "a", index.text());
  options.list_all = true;
  EXPECT_THAT(names("/"), ElementsAre(".berth/", ".blobs/", ".manifests/", "config.json@",
                                      "layers@", "manifest.json", "platforms/", "referrers/"));
  EXPECT_EQ(target("platforms/linux-amd64"), "../.manifests/sha256/" + hex(image));
  EXPECT_EQ(target("layers"), ".manifests/sha256/" + hex(image) + "/layers");
  EXPECT_EQ(read("layers/00.tar.gz"), "layer");
  EXPECT_EQ(read("config.json"), "{}");
}

TEST_F(SemanticsTest, S05_AMountOfATagKeepsTheManifestThatItFoundFirst) {
  registry().push_image("a", "v1", {{"", "old"}});
  show(Root::Kind::manifest, "a", "v1");
  EXPECT_EQ(read("layers/00.tar.gz"), "old");
  registry().push_image("a", "v1", {{"", "new"}});
  world.clock.advance(std::chrono::hours(1));
  tree().refresh();
  EXPECT_EQ(read("layers/00.tar.gz"), "old");
}

TEST_F(SemanticsTest, S06_MakingATreeAsksNobody) {
  registry().push_image("a", "v1", {});
  for (const auto kind :
       {Root::Kind::all, Root::Kind::registry, Root::Kind::repository, Root::Kind::manifest}) {
    show(kind, "a", "v1");
    EXPECT_THAT(tree().attributes(tree().root(), Context().nonblocking()), IsOk());
  }
  EXPECT_EQ(registry().requests(), 0U);
}

TEST_F(SemanticsTest, S07_ALayoutShowsItsTagsAtTheRoot) {
  auto layout = std::make_shared<MemoryRegistry>("oci:/srv/layout");
  layout->can.list_repositories = false;
  const Digest digest = layout->push_image("", "v1", {{"", "layer"}});
  options.root = {.kind = Root::Kind::layout,
                  .registry = "",
                  .repository = "",
                  .reference = "",
                  .layout = layout,
                  .named = {}};
  EXPECT_THAT(names("/"), ElementsAre("v1@"));
  EXPECT_EQ(target("v1"), ".manifests/sha256/" + hex(digest));
  EXPECT_THAT(find("v1/layers/00.tar.gz", true), IsOk());
  EXPECT_EQ(error("v2"), Errc::not_found);
  EXPECT_EQ(error("v1:x"), Errc::not_found);
  EXPECT_THAT(find(".berth/version"), IsOk());
  EXPECT_EQ(layout->count("catalogue"), 0U);
}

TEST_F(SemanticsTest, S10_NamesThatCanBeNothingCostNothing) {
  registry().push_image("a", "v1", {});
  ASSERT_THAT(find("r.example/a"), IsOk());
  const std::size_t before = registry().requests();
  for (const char* name : {".git", ".Trash", ".hidden", "a b", "caf\xC3\xA9", "-x", "x:y:z", "x@y",
                           "A:b", "x:", "@sha256:00", "x@sha256:00", "a\nb"}) {
    EXPECT_THAT(lookup("r.example/a", name), HasCode(Errc::not_found)) << name;
  }
  EXPECT_THAT(lookup("r.example", "Uppercase"), HasCode(Errc::not_found));
  EXPECT_EQ(registry().requests(), before);
}

TEST_F(SemanticsTest, S11_ARegistryShowsTheFirstPartsOfItsRepositories) {
  for (const char* name : {"a", "a-b", "a/c", "library/x", "library/y"})
    registry().push_image(name, "v1", {});
  registry().page_size = 2;
  EXPECT_THAT(names("r.example"), ElementsAre("a/", "a-b/", "library/"));
  EXPECT_THAT(names("r.example/library"), ElementsAre("x/", "y/"));
  EXPECT_EQ(registry().count("tags"), 0U) << "a namespace has no tags to ask for";
}

TEST_F(SemanticsTest, S12_ARepositoryShowsTagsAsLinksAndRepositoriesBelowAsFolders) {
  registry().push_image("a", "latest", {});
  registry().push_image("a", "V1_x", {});
  registry().push_image("a/sub", "v1", {});
  EXPECT_THAT(names("r.example/a"), ElementsAre("V1_x@", "latest@", "sub/"));
}

TEST_F(SemanticsTest, S13_ANameThatAFreshListDoesNotHoldIsAbsentWithoutARequest) {
  registry().push_image("a", "v1", {});
  names("r.example/a");
  const std::size_t before = registry().requests();
  EXPECT_EQ(error("r.example/a/HEAD"), Errc::not_found);
  EXPECT_EQ(error("r.example/a/v2"), Errc::not_found);
  EXPECT_EQ(error("r.example/b"), Errc::not_found);
  EXPECT_EQ(registry().requests(), before);
}

TEST_F(SemanticsTest, S13_ARepositoryThatIsNewerThanTheListIsFoundByAReference) {
  registry().push_image("library/a", "v1", {});
  EXPECT_THAT(names("r.example/library"), ElementsAre("a/"));
  const Digest digest = registry().push_image("library/b", "v1", {{"", "layer"}});
  EXPECT_EQ(error("r.example/library/b"), Errc::not_found);
  EXPECT_EQ(read("r.example/library/b:v1/layers/00.tar.gz"), "layer");
  EXPECT_EQ(read("r.example/library/b@" + digest.text() + "/layers/00.tar.gz"), "layer");
  EXPECT_THAT(names("r.example/library/b"), ElementsAre("v1@"));
  EXPECT_THAT(names("r.example/library"), ElementsAre("a/")) << "the list is what it was";
  EXPECT_EQ(registry().count("catalogue"), 1U);
}

TEST_F(SemanticsTest, S14_ATagIsFoundByHeadAndItsAbsenceKeptForFiveSeconds) {
  registry().push_image("a", "v1", {});
  EXPECT_THAT(find("r.example/a/v1"), IsOk());
  EXPECT_EQ(registry().count("head"), 1U);
  EXPECT_EQ(registry().count("tags"), 0U);
  EXPECT_EQ(error("r.example/a/v2"), Errc::not_found);
  EXPECT_EQ(error("r.example/a/v2"), Errc::not_found);
  EXPECT_EQ(registry().count("head"), 2U);
  EXPECT_EQ(tree().negative_ttl(find("r.example/a")->node, "v2"), std::chrono::seconds(5));

  registry().push_image("a", "v2", {});
  world.clock.advance(std::chrono::seconds(6));
  EXPECT_THAT(find("r.example/a/v2"), IsOk());
}

TEST_F(SemanticsTest, S15_AFolderTakesTheNameFromATagThatStaysReachable) {
  const Digest digest = registry().push_image("a", "b", {});
  registry().push_image("a/b", "v1", {});
  registry().push_image("a/n/deep", "v1", {});
  registry().push_image("a", "n", {});
  EXPECT_EQ(lookup("r.example/a", "b")->node->type(), Type::folder);
  EXPECT_THAT(names("r.example/a"), ElementsAre("b/", "n/"));
  EXPECT_EQ(target("r.example/a:b"), "a/.manifests/sha256/" + hex(digest));
}

TEST_F(SemanticsTest, S16_APastedReferenceIsALinkInTheFolderAboveTheRepository) {
  const Digest digest = registry().push_image("library/hello", "v1", {{"", "layer"}});
  EXPECT_EQ(target("r.example/library/hello:v1"), "hello/.manifests/sha256/" + hex(digest));
  EXPECT_EQ(read("r.example/library/hello:v1/layers/00.tar.gz"), "layer");
  EXPECT_EQ(error("r.example/library/hello:v2"), Errc::not_found);
  EXPECT_EQ(error("r.example/library/other:v1"), Errc::not_found);
}

TEST_F(SemanticsTest, S17_OfAPastedReferenceTheDigestCounts) {
  const Digest digest = registry().push_image("a", "v1", {});
  const Digest other = registry().push_image("a", "v2", {{"", "x"}});
  EXPECT_EQ(target("r.example/a@" + digest.text()), "a/.manifests/sha256/" + hex(digest));
  EXPECT_EQ(target("r.example/a:v1@" + other.text()), "a/.manifests/sha256/" + hex(other));
  EXPECT_EQ(error("r.example/a@" + digest_of(as_bytes("none")).text()), Errc::not_found);
}

TEST_F(SemanticsTest, S18_WithoutACatalogueANameThatIsNeitherIsAbsentBesideTags) {
  registry().can.list_repositories = false;
  registry().push_image("a", "v1", {});
  registry().push_image("a/sub", "v1", {});
  EXPECT_EQ(lookup("r.example/a", "v1")->node->type(), Type::link);
  EXPECT_EQ(lookup("r.example/a", "sub")->node->type(), Type::folder);
  EXPECT_THAT(lookup("r.example/a", "nothing"), HasCode(Errc::not_found));
  EXPECT_EQ(registry().count("catalogue"), 0U);
}

TEST_F(SemanticsTest, S19_WithoutACatalogueNamespacesAreBelievedOnTheFirstThreeLevels) {
  registry().can.list_repositories = false;
  registry().push_image("g/s/p/image", "v1", {});
  EXPECT_THAT(find("r.example/g/s/p/image"), IsOk());
  EXPECT_EQ(lookup("r.example/g/s/p", "image")->node->type(), Type::folder);
  EXPECT_THAT(find("r.example/typo/typo/typo"), IsOk());
  EXPECT_EQ(error("r.example/typo/typo/typo/typo"), Errc::not_found);
  // Found, so that one can go on typing; but not an empty folder.
  EXPECT_THAT(names("r.example/typo"), ElementsAre("error: not_found"));
  EXPECT_THAT(names("r.example/typo/typo"), ElementsAre("error: not_found"));
  EXPECT_THAT(names("r.example/g/s/p"), ElementsAre("image/"));
}

TEST_F(SemanticsTest, S20_ACatalogueThatNamesNothingIsNotBelieved) {
  registry();
  EXPECT_THAT(names("r.example"), IsEmpty());
  registry().push_image("a", "v1", {});
  EXPECT_THAT(find("r.example/a/v1"), IsOk());
}

TEST_F(SemanticsTest, S21_WithoutACatalogueWhatWasSeenIsShown) {
  registry().can.list_repositories = false;
  registry().push_image("org/app", "v1", {});
  EXPECT_THAT(names("r.example"), IsEmpty());
  ASSERT_THAT(find("r.example/org/app/v1"), IsOk());
  EXPECT_THAT(names("r.example"), ElementsAre("org/"));
  EXPECT_THAT(names("r.example/org"), ElementsAre("app/"));
  restart();
  EXPECT_THAT(names("r.example"), ElementsAre("org/"));
}

TEST_F(SemanticsTest, S454_ThatARegistryListsNothingIsSaid) {
  registry().push_image("org/app", "v1", {});
  registry().refusals.emplace("catalogue", Error(Errc::unsupported, "it does not list them"));
  std::vector<std::string> lines;
  log::set_sink([&](log::Level, std::string_view line) { lines.emplace_back(line); },
                log::Level::info);
  EXPECT_EQ(tree().unlisted(find("r.example")->node), "") << "nobody was asked yet";
  EXPECT_THAT(names("r.example"), IsEmpty());
  EXPECT_EQ(tree().unlisted(find("r.example")->node), "it does not list them");
  EXPECT_THAT(names("r.example/org/app"), ElementsAre("v1@"));
  EXPECT_EQ(tree().unlisted(find("r.example/org/app")->node), "") << "its tags are all there";
  EXPECT_THAT(names("r.example/org"), ElementsAre("app/"));
  EXPECT_EQ(tree().unlisted(find("r.example/org")->node), "it does not list them");
  EXPECT_EQ(tree().unlisted(tree().root()), "") << "registries are known here, not there";
  world.clock.advance(std::chrono::hours(1));
  EXPECT_THAT(names("r.example"), ElementsAre("org/"));
  log::set_sink({}, log::Level::error);
  EXPECT_EQ(std::ranges::count(lines, "it does not list them"), 1);
}

TEST_F(SemanticsTest, S22_ARefusedCatalogueIsSaidAndHidesNoRepository) {
  registry().push_image("org/app", "v1", {});
  registry().refusals.emplace("catalogue", Error(Errc::denied, "no catalogue for you"));
  EXPECT_THAT(names("r.example"), ElementsAre("error: denied"));
  EXPECT_THAT(find("r.example/org/app/v1"), IsOk());
  EXPECT_THAT(names("r.example/org/app"), ElementsAre("v1@"));
}

TEST_F(SemanticsTest, S23_ARepositoryThatIsGoneIsAbsentAndOneWithoutTagsEmpty) {
  registry().repositories["empty"];
  registry().push_image("a", "v1", {});
  EXPECT_THAT(names("r.example/empty"), IsEmpty());
  const auto folder = find("r.example/a");
  ASSERT_THAT(folder, IsOk());
  registry().repositories.erase("a");
  tree().refresh();
  EXPECT_THAT(tree().list(folder->node, {}), HasCode(Errc::not_found));
  EXPECT_EQ(error("r.example/a"), Errc::not_found);
}

TEST_F(SemanticsTest, S24_NamesThatBreakTheGrammarAreNotShown) {
  registry().push_image("a", "v1", {});
  const Digest digest = registry().push_image("a", "", {});
  registry().repositories["a"].tags.insert_or_assign("../../etc/passwd", digest);
  registry().repositories["a"].tags.insert_or_assign("x\x1b[31m", digest);
  registry().repositories["B/../c"];
  EXPECT_THAT(names("r.example/a"), ElementsAre("v1@"));
  EXPECT_THAT(names("r.example"), ElementsAre("a/"));
}

TEST_F(SemanticsTest, S25_AListWithoutEndIsRefused) {
  class Endless final : public content::Source {
   public:
    const std::string& name() const noexcept override { return name_; }
    content::Capabilities capabilities() const override { return {.list_repositories = false}; }
    Result<registry::Page> list_repositories(const std::string&, const Context&) override {
      return registry::Page{};
    }
    Result<registry::Page> list_tags(const std::string&, const std::string& from,
                                     const Context&) override {
      return registry::Page{{"t" + std::to_string(++pages)}, from + "x"};
    }
    Result<registry::ManifestHead> head_manifest(const std::string&, const std::string&,
                                                 const Context&) override {
      return Error(Errc::not_found, "none");
    }
    Result<registry::Client::RawManifest> get_manifest(const std::string&, const std::string&,
                                                       const Context&) override {
      return Error(Errc::not_found, "none");
    }
    Result<registry::BlobHead> head_blob(const std::string&, const Digest&,
                                         const Context&) override {
      return Error(Errc::not_found, "none");
    }
    Result<registry::BlobStream> get_blob(const std::string&, const Digest&, std::uint64_t,
                                          std::optional<std::uint64_t>, const Context&) override {
      return Error(Errc::not_found, "none");
    }
    Result<std::vector<oci::Descriptor>> referrers(const std::string&, const Digest&,
                                                   const Context&) override {
      return std::vector<oci::Descriptor>{};
    }
    std::optional<std::filesystem::path> local_file(const Digest&) const override {
      return std::nullopt;
    }
    int pages = 0;

   private:
    std::string name_ = "oci:/endless";
  };
  options.root.kind = Root::Kind::layout;
  options.root.layout = std::make_shared<Endless>();
  EXPECT_THAT(names("/"), ElementsAre("error: too_large"));
}

TEST_F(SemanticsTest, S26_DotFoldersAreFoundByNameAndListedOnlyWhenAskedFor) {
  registry().push_image("ns/a", "v1", {});
  EXPECT_THAT(names("r.example/ns/a"), ElementsAre("v1@"));
  EXPECT_THAT(find("r.example/ns/a/.manifests/sha256"), IsOk());
  EXPECT_THAT(find("r.example/ns/a/.blobs/sha256"), IsOk());
  EXPECT_THAT(lookup("r.example/ns", ".manifests"), HasCode(Errc::not_found)) << "a namespace";
  EXPECT_THAT(lookup("r.example", ".blobs"), HasCode(Errc::not_found));
  EXPECT_THAT(find("r.example/ns/a/.tags/v1"), IsOk());
  EXPECT_THAT(lookup("r.example/ns/a", ".properties"), HasCode(Errc::not_found)) << "none here";
  options.list_all = true;
  restart();
  EXPECT_THAT(names("r.example/ns/a"), ElementsAre(".blobs/", ".manifests/", ".tags/", "v1@"));
  EXPECT_THAT(names("r.example/ns"), ElementsAre("a/"));
}

TEST_F(SemanticsTest, S27_APathIsWalkedWithLinksAndParents) {
  const Digest digest = registry().push_image("a/b", "v1", {{"", "layer"}});
  EXPECT_EQ(find("r.example/a/b/v1")->node->type(), Type::link);
  EXPECT_EQ(find("r.example/a/b/v1/")->node->type(), Type::folder);
  EXPECT_EQ(find("r.example/a/b/v1", true)->node->type(), Type::folder);
  EXPECT_EQ(read("r.example/a/b/v1/../" + hex(digest) + "/layers/00.tar.gz"), "layer");
  EXPECT_EQ(find("../../r.example//a/./b/../../..", true)->node, tree().root());
  EXPECT_EQ(error("r.example/a/b/v1/manifest.json/x"), Errc::not_found);
  EXPECT_EQ(error("r.example/a/b/v1/manifest.json/.."), Errc::not_found);
}

TEST_F(SemanticsTest, S28_APastedPathAsksOnlyForWhatItNames) {
  const Digest digest = registry().push_image("a/b", "v1", {{"", "layer"}});
  ASSERT_THAT(find("r.example/a/b:v1"), IsOk());
  EXPECT_EQ(registry().requests(), 1U) << "the HEAD";
  ASSERT_THAT(find("r.example/a/b/.manifests/sha256/" + hex(digest)), IsOk());
  EXPECT_EQ(registry().requests(), 1U) << "known by the tag";
}

}  // namespace
}  // namespace berth::test
