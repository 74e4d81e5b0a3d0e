// SPDX-License-Identifier: Apache-2.0
#include "place.hpp"

#include <gtest/gtest.h>

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace berth::cli {
namespace {

using test::HasCode;
using test::IsOk;

TEST(PlaceTest, TellsLocalPathsByTheirBeginning) {
  for (const char* text : {"/a", "./a", "../a", ".", "..", "-"}) {
    const auto place = parse_place(text);
    ASSERT_THAT(place, IsOk()) << text;
    EXPECT_EQ(place->kind, Place::Kind::local) << text;
  }
  EXPECT_TRUE(parse_place("-")->is_standard_stream);
  EXPECT_FALSE(parse_place("./-")->is_standard_stream);
}

TEST(PlaceTest, SplitsARegistryFromWhatIsInside) {
  const auto place = parse_place("localhost:5000/library/hello:v1/config.json");
  ASSERT_THAT(place, IsOk());
  EXPECT_EQ(place->kind, Place::Kind::registry);
  EXPECT_EQ(place->registry, "localhost:5000");
  EXPECT_EQ(place->inside, "library/hello:v1/config.json");
  EXPECT_EQ(parse_place("ghcr.io")->inside, "");
  EXPECT_EQ(parse_place("ghcr.io//a")->inside, "a");
}

TEST(PlaceTest, S213_APastedUrlIsAnsweredWithThePlace) {
  for (const auto& [url, meant] :
       {std::pair{"https://r.io/library/hello", "mean r.io/library/hello?"},
        {"https://r.io/", "mean r.io?"},
        {"https://r.io/v2/library/hello/tags/list?n=5", "mean r.io/library/hello/tags/list?"},
        {"docker://r.io/a:v1", "without docker://: did you mean r.io/a:v1?"},
        {"http://127.0.0.1:5000/a",
         "mean 127.0.0.1:5000/a? (http instead of https is asked for by "
         "--plain-http)"}}) {
    const auto place = parse_place(url);
    ASSERT_THAT(place, HasCode(Errc::invalid_argument)) << url;
    EXPECT_NE(place.error().message().find(meant), std::string::npos) << place.error().message();
  }
  const std::string secret = parse_place("https://ann:hunter2@r.io/a").error().message();
  EXPECT_EQ(secret.find("hunter2"), std::string::npos) << secret;
  EXPECT_NE(secret.find("mean r.io/a?"), std::string::npos) << secret;
}

TEST(PlaceTest, OffersBothSpellingsForAWordThatIsNeither) {
  const auto place = parse_place("library/hello");
  ASSERT_THAT(place, HasCode(Errc::invalid_argument));
  EXPECT_NE(place.error().message().find("./library/hello"), std::string::npos);
  EXPECT_NE(place.error().message().find("REGISTRY/library/hello"), std::string::npos);
}

TEST(PlaceTest, FindsTheLayoutsFolderAmongColonsAndSlashes) {
  test::TempDir dir;
  dir.write("a:b/oci-layout", "{}");
  const std::string base = "oci:" + (dir / "a:b").string();
  for (const auto& [suffix, inside] : {std::pair{"", ""},
                                       {":v1", "v1"},
                                       {"/v1/config.json", "v1/config.json"},
                                       {":v1/files", "v1/files"}}) {
    const auto place = parse_place(base + suffix);
    ASSERT_THAT(place, IsOk()) << suffix;
    EXPECT_EQ(place->kind, Place::Kind::layout);
    EXPECT_EQ(place->path, dir / "a:b");
    EXPECT_EQ(place->inside, inside);
  }
  const std::string hex(64, 'a');
  const std::string inside = ".manifests/sha256/" + hex;
  for (const std::string before : {"@sha256:", ":v1@sha256:"}) {
    EXPECT_EQ(parse_place(base + before + hex)->inside, inside);
    EXPECT_EQ(parse_place(base + before + hex + "/layers")->inside, inside + "/layers");
  }
  EXPECT_THAT(parse_place("oci:" + dir.path().string()), HasCode(Errc::not_found));
  EXPECT_THAT(parse_place("oci:"), HasCode(Errc::invalid_argument));
}

TEST(PlaceTest, ReadsALayoutTargetThatNeedNotExist) {
  const auto target = parse_layout_target("oci:/x/y:v1");
  ASSERT_THAT(target, IsOk());
  EXPECT_EQ(target->folder, "/x/y");
  EXPECT_EQ(target->tag, "v1");
  EXPECT_EQ(parse_layout_target("oci:/x:1/y")->folder, "/x:1/y");
  EXPECT_EQ(parse_layout_target("oci:/x:1/y")->tag, "");
  EXPECT_THAT(parse_layout_target("oci:/x:-bad"), HasCode(Errc::invalid_argument));
  EXPECT_THAT(parse_layout_target("oci:/x@sha256:" + std::string(64, 'a')),
              HasCode(Errc::invalid_argument));
  EXPECT_THAT(parse_layout_target("oci::v1"), HasCode(Errc::invalid_argument));
}

}  // namespace
}  // namespace berth::cli
