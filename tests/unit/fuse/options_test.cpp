// SPDX-License-Identifier: Apache-2.0
#include "fuse/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace berth::fuse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Kind = tree::Root::Kind;

Result<Options> parse(std::vector<std::string> arguments, bool as_mount_helper = false) {
  return parse_options(arguments, as_mount_helper);
}

std::string message(const Result<Options>& result) {
  return result ? "" : result.error().message();
}

Options with(const std::string& list) {
  auto options = parse({"-o", list, "localhost:5000", "/mnt"});
  EXPECT_THAT(options, test::IsOk());
  return options ? *options : Options{};
}

TEST(TargetTest, NamesEveryKindOfRoot) {
  EXPECT_EQ(parse_target("")->kind, Kind::all);
  EXPECT_EQ(parse_target("all")->kind, Kind::all);
  const auto registry = parse_target("example.com/");
  ASSERT_THAT(registry, test::IsOk());
  EXPECT_EQ(registry->kind, Kind::registry);
  EXPECT_EQ(registry->registry, "example.com");
  const auto repository = parse_target("localhost:5000/library/hello");
  ASSERT_THAT(repository, test::IsOk());
  EXPECT_EQ(repository->kind, Kind::repository);
  EXPECT_EQ(repository->repository, "library/hello");
  const auto tag = parse_target("localhost:5000/a:v1");
  ASSERT_THAT(tag, test::IsOk());
  EXPECT_EQ(tag->kind, Kind::manifest);
  EXPECT_EQ(tag->reference, "v1");
  const std::string digest = "sha256:" + std::string(64, 'a');
  EXPECT_EQ(parse_target("localhost:5000/a@" + digest)->reference, digest);
  EXPECT_EQ(parse_target("localhost:5000/a:v1@" + digest)->reference, digest);
}

TEST(TargetTest, ALayoutIsAFolderOnThisMachine) {
  const auto layout = parse_target("oci:some/dir");
  ASSERT_THAT(layout, test::IsOk());
  EXPECT_EQ(layout->kind, Kind::layout);
  EXPECT_TRUE(layout->layout.is_absolute());
  EXPECT_THAT(parse_target("oci:"), test::HasCode(Errc::invalid_argument));
}

TEST(TargetTest, ATagOfALayoutIsAManifest) {
  test::TempDir folder;
  folder.write("a:v1/oci-layout", "{}");
  const auto tag = parse_target("oci:" + (folder / "a:v1").string() + ":latest");
  ASSERT_THAT(tag, test::IsOk());
  EXPECT_EQ(tag->kind, Kind::manifest);
  EXPECT_EQ(tag->layout, folder / "a:v1");
  EXPECT_EQ(tag->reference, "latest");
  EXPECT_EQ(parse_target("oci:" + (folder / "a:v1").string())->kind, Kind::layout);
  const std::string digest = "sha256:" + std::string(64, 'a');
  const auto manifest = parse_target("oci:" + (folder / "a:v1").string() + "@" + digest);
  ASSERT_THAT(manifest, test::IsOk());
  EXPECT_EQ(manifest->kind, Kind::manifest);
  EXPECT_EQ(manifest->layout, folder / "a:v1");
  EXPECT_EQ(manifest->reference, digest);
  EXPECT_EQ(parse_target("oci:" + (folder / "a:v1").string() + ":v1@" + digest)->reference, digest);
  EXPECT_EQ(parse_target("oci:" + (folder / "a:v1").string() + ":v1@" + digest)->layout,
            folder / "a:v1");
}

TEST(TargetTest, SaysWhatIsWrong) {
  EXPECT_THAT(parse_target("library/hello").error().message(), HasSubstr("names no registry"));
  EXPECT_THAT(parse_target("https://example.com").error().message(), HasSubstr("https://"));
  EXPECT_THAT(parse_target("example.com/UPPER"), test::HasCode(Errc::invalid_argument));
}

TEST(TargetTest, RefusesAPasswordWithoutRepeatingIt) {
  const auto target = parse_target("user:geheim@example.com/a");
  ASSERT_THAT(target, test::HasCode(Errc::invalid_argument));
  EXPECT_THAT(target.error().message(), Not(HasSubstr("geheim")));
}

TEST(OptionsTest, OneArgumentIsAMountOfEverything) {
  const auto options = parse({"/mnt/"});
  ASSERT_THAT(options, test::IsOk());
  EXPECT_EQ(options->target.kind, Kind::all);
  EXPECT_EQ(options->mount_point, "/mnt");
  EXPECT_FALSE(options->foreground);
}

TEST(OptionsTest, TimesOfAccessAreAcceptedAndNotGivenToTheKernel) {
  for (const char* word : {"nodiratime", "diratime", "strictatime", "nostrictatime", "lazytime",
                           "nolazytime", "relatime", "norelatime"}) {
    EXPECT_THAT(with(word).kernel_options, IsEmpty()) << word;
  }
}

TEST(OptionsTest, UnmountTakesOneFolder) {
  const auto options = parse({"--unmount", "--lazy", "--", "/mnt"});
  ASSERT_THAT(options, test::IsOk());
  EXPECT_EQ(options->action, Options::Action::unmount);
  EXPECT_TRUE(options->lazy);
  EXPECT_THAT(parse({"--unmount", "localhost:5000", "/mnt"}),
              test::HasCode(Errc::invalid_argument));
}

TEST(OptionsTest, TakesItsOptionsInAnyPlace) {
  const auto options =
      parse({"localhost:5000", "/mnt", "-f", "-otag_ttl=5,offline", "-o", "list=all"});
  ASSERT_THAT(options, test::IsOk());
  EXPECT_TRUE(options->foreground);
  EXPECT_TRUE(options->offline);
  EXPECT_TRUE(options->list_all);
  EXPECT_EQ(options->tag_ttl, std::chrono::seconds(5));
}

TEST(OptionsTest, UnderstandsEveryValue) {
  const Options options = with(
      "head_jobs=4,timeout=7,verify=full,passthrough=off,platform=linux/arm64,authfile=/a,config=/"
      "c,cache=/k,"
      "cache_limit=20GiB,plain_http,ca_file=/ca,cert_file=/crt,key_file=/key,"
      "key_password_file=/p,log_file=/l,"
      "allow_other");
  EXPECT_EQ(options.head_jobs, 4);
  EXPECT_EQ(options.timeout, std::chrono::seconds(7));
  EXPECT_TRUE(options.verify_full);
  EXPECT_FALSE(options.passthrough);
  EXPECT_EQ(options.platform->text(), "linux/arm64");
  EXPECT_EQ(options.auth_file, "/a");
  EXPECT_EQ(options.docker_config_dir, "/c");
  EXPECT_EQ(options.cache, "/k");
  EXPECT_EQ(options.cache_limit, 20ull << 30);
  EXPECT_THAT(options.plain_http, ElementsAre("localhost:5000"));
  EXPECT_EQ(options.ca_file + options.cert_file + options.key_file, "/ca/crt/key");
  EXPECT_EQ(options.key_password_file, "/p");
  EXPECT_EQ(options.log_file, "/l");
  EXPECT_TRUE(options.allow_other);
}

TEST(OptionsTest, ACommaInAValueIsEscaped) {
  EXPECT_EQ(with(R"(cache=/a\,b,offline)").cache, "/a,b");
}

TEST(OptionsTest, RelativePathsAreMadeAbsoluteBecauseTheDaemonLeaves) {
  EXPECT_TRUE(with("cache=k").cache.is_absolute());
}

TEST(OptionsTest, AnUnknownOptionIsNamed) {
  EXPECT_THAT(message(parse({"-o", "tagttl=5", "/mnt"})), HasSubstr("tagttl"));
  EXPECT_THAT(message(parse({"-x", "/mnt"})), HasSubstr("-x"));
  EXPECT_THAT(message(parse({"--frobnicate", "/mnt"})), HasSubstr("--frobnicate"));
}

TEST(OptionsTest, AValueThatMakesNoSenseIsNamed) {
  for (const char* wrong : {"tag_ttl=soon", "tag_ttl=-1", "head_jobs=0", "timeout=0", "list=some",
                            "verify=half", "cache_limit=much", "cache_limit=20", "tag_ttl",
                            "tag_ttl=", "offline=yes", "platform=", "plain_http=a b"}) {
    const std::string name = std::string(wrong).substr(0, std::string_view(wrong).find('='));
    EXPECT_THAT(message(parse({"-o", wrong, "localhost:5000", "/mnt"})), HasSubstr(name)) << wrong;
  }
}

TEST(OptionsTest, ALimitOfAFewBytesIsNamedWithWhatWasMeant) {
  EXPECT_THAT(message(parse({"-o", "cache_limit=20", "/mnt"})),
              HasSubstr("cache_limit=20: 20 bytes are too small for a cache: say 20G"));
}

// S401
TEST(OptionsTest, TagsAreBelievedForASecondAtLeast) {
  const Options options = with("tag_ttl=0");
  EXPECT_EQ(options.tag_ttl, std::chrono::seconds(1));
}

TEST(OptionsTest, RefusesSecretsWithoutRepeatingThem) {
  for (const char* name : {"password", "token", "secret", "pass", "identity_token"}) {
    const auto said = message(parse({"-o", std::string(name) + "=geheim", "/mnt"}));
    EXPECT_THAT(said, HasSubstr("authfile="));
    EXPECT_THAT(said, Not(HasSubstr("geheim")));
  }
}

TEST(OptionsTest, TakesWhatFstabSays) {
  const Options options = with(
      "defaults,ro,nosuid,nodev,noauto,nofail,_netdev,user,users,user=alice,x-systemd.automount,"
      "x-systemd.idle-timeout=60,comment=x,noexec,noatime");
  EXPECT_THAT(options.kernel_options, ElementsAre("noexec", "noatime"));
}

TEST(OptionsTest, ChangesAreAllowedByName) {
  EXPECT_FALSE(parse({"r.io", "/mnt"})->writable);
  EXPECT_TRUE(parse({"-o", "rw", "r.io", "/mnt"})->writable);
  EXPECT_TRUE(parse({"-o", "writable", "r.io", "/mnt"})->writable);
  EXPECT_FALSE(parse({"-o", "rw,ro", "r.io", "/mnt"})->writable) << "the last word counts";
  EXPECT_THAT(message(parse({"-o", "rw=1", "/mnt"})), HasSubstr("takes no value"));
  // mount(8) says rw where nobody said anything.
  EXPECT_FALSE(parse({"r.io", "/mnt", "-o", "rw"}, true)->writable);
  EXPECT_TRUE(parse({"r.io", "/mnt", "-o", "rw,writable"}, true)->writable);
}

TEST(OptionsTest, SettingsOfOneRegistryNeedOne) {
  EXPECT_THAT(message(parse({"-o", "ca_file=/x", "/mnt"})), HasSubstr("configuration file"));
  EXPECT_THAT(message(parse({"-o", "key_password_file=/x", "/mnt"})),
              HasSubstr("configuration file"));
  EXPECT_THAT(message(parse({"-o", "plain_http", "/mnt"})), HasSubstr("plain_http="));
  EXPECT_THAT(parse({"-o", "plain_http=localhost:5000", "/mnt"}), test::IsOk());
  EXPECT_THAT(message(parse({"-o", "key_file=/x", "localhost:5000", "/mnt"})),
              HasSubstr("cert_file"));
}

TEST(OptionsTest, NeedsAMountPointAndNoMoreThanATarget) {
  EXPECT_THAT(parse({}), test::HasCode(Errc::invalid_argument));
  EXPECT_THAT(parse({"a.b", "/mnt", "/mnt2"}), test::HasCode(Errc::invalid_argument));
  EXPECT_THAT(parse({"a.b", ""}), test::HasCode(Errc::invalid_argument));
}

TEST(OptionsTest, BehavesAsMountExpectsOfItsHelpers) {
  const auto options =
      parse({"localhost:5000", "/mnt", "-sfnv", "-t", "berth", "-o", "rw,whatever"}, true);
  ASSERT_THAT(options, test::IsOk());
  EXPECT_TRUE(options->fake);
  EXPECT_FALSE(options->foreground);
  EXPECT_THAT(options->kernel_options, IsEmpty());
  EXPECT_THAT(parse({"localhost:5000", "/mnt", "-o", "whatever"}, true),
              test::HasCode(Errc::invalid_argument));
}

TEST(OptionsTest, ARefreshTakesTheMountPointAlone) {
  const auto options = parse({"--refresh", "/mnt"});
  ASSERT_THAT(options, test::IsOk());
  EXPECT_EQ(options->action, Options::Action::refresh);
  EXPECT_EQ(options->mount_point, "/mnt");
  EXPECT_THAT(parse({"--refresh", "a.b", "/mnt"}), test::HasCode(Errc::invalid_argument));
}

TEST(OptionsTest, HelpAndVersionNeedNothingElse) {
  EXPECT_EQ(parse({"--help"})->action, Options::Action::help);
  EXPECT_EQ(parse({"-V"})->action, Options::Action::version);
  EXPECT_THAT(help_text(), HasSubstr("tag_ttl=SECONDS"));
  EXPECT_THAT(help_text(), HasSubstr("plain_http[=HOST]"));
}

}  // namespace
}  // namespace berth::fuse
