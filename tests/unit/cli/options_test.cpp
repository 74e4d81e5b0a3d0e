// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "wrong_use.hpp"

namespace berth::cli {
namespace {

ParseResult parse(const std::vector<std::string>& arguments) {
  return parse_command_line(arguments, "1.2.3");
}

std::string sentence(const std::vector<std::string>& arguments) {
  const auto parsed = parse(arguments);
  return parsed.error ? parsed.error->message() : "no error";
}

TEST(OptionsTest, TakesTheCommonOptionsBeforeAndAfterTheCommand) {
  for (const auto& arguments :
       {std::vector<std::string>{"--json", "ls", "-l", "r.io"}, {"ls", "-l", "r.io", "--json"}}) {
    const auto parsed = parse(arguments);
    ASSERT_TRUE(parsed.invocation) << parsed.text;
    EXPECT_TRUE(parsed.invocation->common.json);
    const auto& ls = std::get<LsCommand>(parsed.invocation->command);
    EXPECT_TRUE(ls.long_format);
    EXPECT_EQ(ls.places, std::vector<std::string>{"r.io"});
  }
}

TEST(OptionsTest, SplitsTheTargetOfCpFromItsSources) {
  const auto parsed = parse({"cp", "-r", "r.io/a", "r.io/b", "./out"});
  ASSERT_TRUE(parsed.invocation) << parsed.text;
  const auto& cp = std::get<CpCommand>(parsed.invocation->command);
  EXPECT_EQ(cp.sources, (std::vector<std::string>{"r.io/a", "r.io/b"}));
  EXPECT_EQ(cp.target, "./out");
  EXPECT_TRUE(cp.recursive);
  EXPECT_EQ(parse({"cp", "r.io/a"}).exit_status, 2);
}

TEST(OptionsTest, MountsEveryRegistryWhenOnlyAFolderIsGiven) {
  const auto all = parse({"mount", "/mnt"});
  ASSERT_TRUE(all.invocation) << all.text;
  EXPECT_EQ(std::get<MountCommand>(all.invocation->command).place, "");
  const auto one = parse({"mount", "-o", "tag_ttl=5,offline", "r.io", "/mnt"});
  ASSERT_TRUE(one.invocation) << one.text;
  const auto& mount = std::get<MountCommand>(one.invocation->command);
  EXPECT_EQ(mount.place, "r.io");
  EXPECT_EQ(mount.folder, "/mnt");
  EXPECT_EQ(mount.mount_options, std::vector<std::string>{"tag_ttl=5,offline"});
}

TEST(OptionsTest, TakesWhatPurgesAndSets) {
  const auto purge = parse({"purge", "r.io", "--filter", "a:b", "--filter", "c:.*", "--ago", "30d",
                            "--keep", "3", "--untagged", "--include-locked", "-n", "-y"});
  ASSERT_TRUE(purge.invocation) << purge.text;
  const auto& wanted = std::get<PurgeCommand>(purge.invocation->command);
  EXPECT_EQ(wanted.place, "r.io");
  EXPECT_EQ(wanted.filters, (std::vector<std::string>{"a:b", "c:.*"}));
  EXPECT_EQ(wanted.ago, "30d");
  EXPECT_EQ(wanted.keep, 3);
  EXPECT_TRUE(wanted.untagged && wanted.include_locked && wanted.dry_run && wanted.yes);
  EXPECT_EQ(wanted.repository_page_size, 100);
  EXPECT_EQ(wanted.filter_timeout_seconds, 60);
  EXPECT_EQ(parse({"purge", "r.io", "--untagged", "--untagged-only"}).exit_status, 2);
  const auto limited =
      parse({"purge", "r.io", "--repository-page-size", "7", "--filter-timeout-seconds", "0.5"});
  ASSERT_TRUE(limited.invocation) << limited.text;
  EXPECT_EQ(std::get<PurgeCommand>(limited.invocation->command).repository_page_size, 7);
  EXPECT_EQ(std::get<PurgeCommand>(limited.invocation->command).filter_timeout_seconds, 0.5);
  for (const char* option : {"--repository-page-size", "--filter-timeout-seconds"}) {
    EXPECT_EQ(parse({"purge", "r.io", option, "0"}).exit_status, 2) << option;
  }
  EXPECT_EQ(parse({"purge", "r.io", "--keep", "-1"}).exit_status, 2);
  // S443
  const auto short_names =
      parse({"purge", "r.io", "-f", "a:b", "--concurrency", "9", "--trust-lists"});
  ASSERT_TRUE(short_names.invocation) << short_names.text;
  const auto& as_acr_cli = std::get<PurgeCommand>(short_names.invocation->command);
  EXPECT_EQ(as_acr_cli.filters, std::vector<std::string>{"a:b"});
  EXPECT_EQ(as_acr_cli.jobs, 9);
  EXPECT_TRUE(as_acr_cli.trust_lists && !wanted.trust_lists);
  const auto set = parse({"set", "r.io/a:v1", "can_delete=false", "can_write=true"});
  ASSERT_TRUE(set.invocation) << set.text;
  EXPECT_EQ(std::get<SetCommand>(set.invocation->command).changes,
            (std::vector<std::string>{"can_delete=false", "can_write=true"}));
  EXPECT_EQ(parse({"set", "r.io/a:v1"}).exit_status, 2);
  EXPECT_EQ(parse({"deleted", "burn", "r.io"}).exit_status, 2);
  EXPECT_EQ(parse({"ls", "--sort", "colour"}).exit_status, 2);
  const auto ls = parse({"ls", "-lr", "--sort", "updated", "r.io"});
  ASSERT_TRUE(ls.invocation) << ls.text;
  EXPECT_TRUE(std::get<LsCommand>(ls.invocation->command).reverse);
}

TEST(OptionsTest, RefusesAPasswordWithoutAUser) {
  EXPECT_EQ(parse({"--password-stdin", "ls"}).exit_status, 2);
}

TEST(OptionsTest, ExitsWithTwoAndAHintForWhatIsNotThere) {
  const auto parsed = parse({"frobnicate"});
  EXPECT_FALSE(parsed.invocation);
  EXPECT_EQ(parsed.exit_status, 2);
  EXPECT_NE(sentence({"frobnicate"}).find("--help"), std::string::npos);
  EXPECT_EQ(parse({}).exit_status, 2);
  EXPECT_EQ(parse({"cache", "explode"}).exit_status, 2);
}

TEST(OptionsTest, S213_WrongUseSaysWhatMayHaveBeenMeant) {
  const auto says = [](const std::vector<std::string>& arguments, const std::string& words) {
    EXPECT_NE(sentence(arguments).find(words), std::string::npos) << sentence(arguments);
    EXPECT_EQ(sentence(arguments).find('\n'), std::string::npos) << sentence(arguments);
  };
  says({"sl"}, "'sl' is no command: did you mean berth ls?");
  says({"unmout"}, "did you mean berth unmount?");
  says({"download"}, "did you mean berth cp?");
  says({"frobnicate"}, "'frobnicate' is no command; berth --help");
  says({"ls", "--recursiv", "r.io"},
       "ls: there is no option '--recursiv': did you mean --recursive?");
  says({"ls", "--jsno", "r.io"}, "did you mean --json?");
  says({"ls", "--frobnicate"}, "there is no option '--frobnicate'; berth ls --help");
  says({"tree", "-L", "abc", "r.io"}, "tree: '--level = abc' is not a number");
  says({"cat"}, "cat: PLACE is required; berth cat --help");
  says({"unmount", "/a", "/b"}, "unmount: '/b' is one operand too many");
  says({"cp", "-j", "99", "r.io/a", "./b"}, "cp: ");
  says({}, "no command was given; berth --help");
  says({"ls", "--\x1b[31m"}, "\\x1b");
}

TEST(OptionsTest, S393_AnEmptyOperandIsWrongUse) {
  const std::vector<std::vector<std::string>> lines{{"ls", ""},
                                                    {"ls", "r.io", ""},
                                                    {"tree", ""},
                                                    {"cat", ""},
                                                    {"stat", ""},
                                                    {"cp", "", "./x"},
                                                    {"cp", "r.io/a", ""},
                                                    {"rm", "-rf", ""},
                                                    {"tag", "", "v1"},
                                                    {"untag", ""},
                                                    {"mount", "", "/mnt"},
                                                    {"mount", "r.io", ""},
                                                    {"unmount", ""},
                                                    {"umount", ""},
                                                    {"refresh", ""},
                                                    {"purge", "--ago", "1d", ""},
                                                    {"deleted", "ls", ""},
                                                    {"set", "", "can_read=true"},
                                                    {"login", ""},
                                                    {"doctor", ""}};
  for (const auto& line : lines) {
    EXPECT_EQ(parse(line).exit_status, 2) << line.front();
    EXPECT_NE(sentence(line).find(line.front() + ": an operand is empty"), std::string::npos)
        << sentence(line);
  }
  EXPECT_EQ(parse({"__complete", ""}).exit_status, 0) << "a word of which nothing is typed yet";
  EXPECT_EQ(parse({"ls"}).exit_status, 0);
}

// S451
TEST(OptionsTest, KnowsTheOptionsOfACommand) {
  const auto purge = options_of("purge");
  EXPECT_TRUE(std::ranges::is_sorted(purge));
  for (const char* own : {"--filter", "--trust-lists", "--concurrency", "--help", "--json"}) {
    EXPECT_EQ(std::ranges::count(purge, own), 1) << own;
  }
  EXPECT_EQ(std::ranges::count(purge, "--version"), 0);
  EXPECT_EQ(std::ranges::count(options_of("ls"), "--filter"), 0);
  EXPECT_EQ(std::ranges::count(options_of("token"), "--helper"), 0) << "of no use to a person";
  EXPECT_EQ(std::ranges::count(options_of("cache"), "--help"), 1);
  for (const char* no_command : {"", "frobnicate"}) {
    const auto common = options_of(no_command);
    for (const char* each : {"--timeout", "--platform", "--version", "--help"}) {
      EXPECT_EQ(std::ranges::count(common, each), 1) << each;
    }
    EXPECT_EQ(std::ranges::count(common, "--filter"), 0);
  }
}

TEST(OptionsTest, FindsTheNearestNameOrNone) {
  const std::vector<std::string> names{"ls", "tree", "unmount", "-l"};
  EXPECT_EQ(nearest("tere", names), "tree");
  EXPECT_EQ(nearest("umnount", names), "unmount");
  EXPECT_EQ(nearest("lss", names), "ls");
  EXPECT_EQ(nearest("-x", names), "");
  EXPECT_EQ(nearest("", names), "");
  EXPECT_EQ(nearest("catalogue", names), "");
}

TEST(OptionsTest, PrintsHelpAndVersionWithSuccess) {
  const auto help = parse({"--help"});
  EXPECT_EQ(help.exit_status, 0);
  for (const char* word : {"ls", "mount", "doctor", "PLACE"})
    EXPECT_NE(help.text.find(word), std::string::npos) << word;
  EXPECT_EQ(help.text.find("__complete"), std::string::npos);
  EXPECT_EQ(parse({"--version"}).text, "berth 1.2.3\n");
  EXPECT_NE(parse({"cp", "--help"}).text.find("--referrers"), std::string::npos);
}

}  // namespace
}  // namespace berth::cli
