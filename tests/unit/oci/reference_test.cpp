// SPDX-License-Identifier: Apache-2.0
#include "berth/oci/reference.hpp"

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace berth::oci {
namespace {

using test::HasCode;
using test::IsOk;
using testing::HasSubstr;

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST(RepositoryTest, AcceptsTheGrammarOfTheSpecification) {
  for (const char* name : {"a", "0", "library/hello-world", "a.b", "a_b", "a__b", "a-b", "a---b",
                           "a/b/c/d/e/f", "a1.b2__c3-d4/e5"}) {
    EXPECT_TRUE(is_repository(name)) << name;
  }
}

TEST(RepositoryTest, RefusesEverythingElse) {
  for (const char* name : {"",     "/",     "a/",  "/a",  "a//b", "A",  "a/B",  ".a",    "a.",
                           "a..b", "a___b", "_a",  "a_",  "-a",   "a-", "a.-b", "a-_b",  "a._b",
                           "a b",  "ä",     "a\n", "a:b", "a@b",  ".",  "..",   "a/../b"}) {
    EXPECT_FALSE(is_repository(name)) << name;
  }
  EXPECT_FALSE(is_repository_component("a/b"));
  EXPECT_TRUE(is_repository(std::string(255, 'a')));
  EXPECT_FALSE(is_repository(std::string(256, 'a')));
}

TEST(TagTest, AcceptsTheGrammarOfTheSpecification) {
  for (const char* tag : {"latest", "1.2.3", "_", "V1_x-y.z", "a..b", "A-"}) {
    EXPECT_TRUE(is_tag(tag)) << tag;
  }
  EXPECT_TRUE(is_tag(std::string(128, 'x')));
}

TEST(TagTest, RefusesEverythingElse) {
  for (const char* tag :
       {"", ".", "..", ".a", "-a", "a/b", "a:b", "a@b", "a b", "ä", "a\n", "a+b"}) {
    EXPECT_FALSE(is_tag(tag)) << tag;
  }
  EXPECT_FALSE(is_tag(std::string(129, 'x')));
  EXPECT_FALSE(is_tag(std::string_view("a\0b", 3)));
}

TEST(RegistryTest, AcceptsHostsAndPorts) {
  for (const char* host : {"localhost", "localhost:5000", "myregistry.azurecr.io", "a-b.c:443",
                           "127.0.0.1:5000", "[::1]", "[2001:db8::1]:5000", "Registry.Example",
                           "xn--bcher-kva.example", "a:1", "a:65535"}) {
    EXPECT_TRUE(is_registry(host)) << host;
  }
}

TEST(RegistryTest, RefusesEverythingElse) {
  for (const char* host : {"",          ".",       "a.",        ".a",     "a..b",
                           "-a.b",      "a-.b",    "a_b.c",     "a:",     "a:0",
                           "a:65536",   "a:05000", "a:5000x",   "a:1:2",  "::1",
                           "[::1",      "[]",      "[::1]5000", "[::1]:", "[zz]",
                           "[1.2.3.4]", "a/b",     "user@a.b",  "a b",    "[fe80::1%eth0]"}) {
    EXPECT_FALSE(is_registry(host)) << host;
  }
}

TEST(RegistryTest, LooksLikeOneOnlyWithADotOrAPortOrAsLocalhost) {
  for (const char* host : {"localhost", "LocalHost", "a:5000", "a.b", "[::1]"}) {
    EXPECT_TRUE(looks_like_registry(host)) << host;
  }
  for (const char* host : {"library", "a-b", "", "a/b"}) {
    EXPECT_FALSE(looks_like_registry(host)) << host;
  }
}

TEST(ReferenceTest, ParsesEachForm) {
  const Result<Reference> plain = Reference::parse("docker.io/library/hello-world");
  ASSERT_THAT(plain, IsOk());
  EXPECT_EQ(plain->registry, "docker.io");
  EXPECT_EQ(plain->repository, "library/hello-world");
  EXPECT_FALSE(plain->tag || plain->digest);

  const Result<Reference> full = Reference::parse("localhost:5000/a:v1@" + kDigest);
  ASSERT_THAT(full, IsOk());
  EXPECT_EQ(full->registry, "localhost:5000");
  EXPECT_EQ(full->repository, "a");
  EXPECT_EQ(full->tag, "v1");
  EXPECT_EQ(full->digest->text(), kDigest);
}

TEST(ReferenceTest, WritesWhatItReads) {
  for (const std::string& text : {std::string("localhost/a"), std::string("[::1]:5000/a/b:v1"),
                                  "a.io/b@" + kDigest, "a.io/b:c@" + kDigest}) {
    const Result<Reference> reference = Reference::parse(text);
    ASSERT_THAT(reference, IsOk());
    EXPECT_EQ(reference->text(), text);
    EXPECT_EQ(*Reference::parse(reference->text()), *reference);
  }
}

TEST(ReferenceTest, AHostIsTheSameInAnyCase) {
  const Result<Reference> reference = Reference::parse("MyRegistry.AzureCR.io/a:V1");
  ASSERT_THAT(reference, IsOk());
  EXPECT_EQ(reference->text(), "myregistry.azurecr.io/a:V1");
}

TEST(ReferenceTest, RefusesWhatIsBrokenAndSaysWhichPart) {
  struct Case {
    std::string text;
    std::string part_of_message;
  };
  for (const Case& c : std::vector<Case>{{"", "no repository"},
                                         {"a.io", "no repository"},
                                         {"a.io/", "no repository"},
                                         {"a.io/A", "lower-case"},
                                         {"a.io/b:", "no tag"},
                                         {"a.io/b:-x", "no tag"},
                                         {"a.io/b:c:d", "no repository"},
                                         {"library/hello-world", "no registry"},
                                         {"https://a.io/b", "scheme"},
                                         {"a_b.io/c", "neither a host"},
                                         {"a.io:0/c", "neither a host"},
                                         {"a.io/b@sha256:12", "hexadecimal"},
                                         {"a.io/b@", "digest"},
                                         {"a.io/b@" + kDigest + "@" + kDigest, "digest"},
                                         {"a.io/b c", "no repository"}}) {
    const Result<Reference> reference = Reference::parse(c.text);
    ASSERT_THAT(reference, HasCode(Errc::invalid_argument)) << c.text;
    EXPECT_THAT(reference.error().message(), HasSubstr(c.part_of_message));
  }
}

TEST(ReferenceTest, NamesADigestOfAnUnknownAlgorithm) {
  EXPECT_THAT(Reference::parse("a.io/b@md5:0123"), HasCode(Errc::unsupported));
}

TEST(ReferenceTest, HostAndNameHave255CharactersTogether) {
  EXPECT_THAT(Reference::parse("a.io/" + std::string(250, 'b')), IsOk());
  EXPECT_THAT(Reference::parse("a.io/" + std::string(251, 'b')), HasCode(Errc::invalid_argument));
}

}  // namespace
}  // namespace berth::oci
