// SPDX-License-Identifier: Apache-2.0
#include "account.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "docker_plugin.hpp"
#include "support/matchers.hpp"

namespace berth::cli {
namespace {

TEST(AccountTest, ARegistryIsAHostOrAUrlOfOne) {
  for (const auto& [given, text] : {std::pair{"localhost:5000", "localhost:5000"},
                                    {"https://ghcr.io/", "ghcr.io"},
                                    {"ghcr.io/org", "ghcr.io/org"},
                                    {"index.docker.io", "docker.io"}}) {
    const auto key = parse_registry(given);
    ASSERT_THAT(key, test::IsOk()) << given;
    EXPECT_EQ(key->text(), text);
  }
  for (const char* bad : {"", "ghcr", "library/hello", "user@ghcr.io", "./x", "a\nb.io"}) {
    EXPECT_THAT(parse_registry(bad), test::HasCode(Errc::invalid_argument)) << bad;
  }
}

TEST(AccountTest, LoginTakesNoPasswordAsAnArgument) {
  EXPECT_FALSE(parse_command_line({"login", "r.io", "--password", "x"}, "1").invocation);
  EXPECT_FALSE(parse_command_line({"login", "r.io", "-p", "x"}, "1").invocation);
  const auto parsed =
      parse_command_line({"login", "r.io", "-u", "me", "--password-stdin", "--store", "file"}, "1");
  ASSERT_TRUE(parsed.invocation) << parsed.text;
  EXPECT_EQ(std::get<LoginCommand>(parsed.invocation->command).store, "file");
}

TEST(AccountTest, DoctorTakesARegistryOrTheWayToItsCredential) {
  const auto whole = parse_command_line({"doctor", "r.io"}, "1");
  ASSERT_TRUE(whole.invocation) << whole.text;
  EXPECT_FALSE(std::get<DoctorCommand>(whole.invocation->command).credentials_only);
  const auto way = parse_command_line({"doctor", "credentials", "r.io"}, "1");
  ASSERT_TRUE(way.invocation) << way.text;
  EXPECT_TRUE(std::get<DoctorCommand>(way.invocation->command).credentials_only);
  EXPECT_EQ(std::get<DoctorCommand>(way.invocation->command).registry, "r.io");
  EXPECT_TRUE(parse_command_line({"doctor"}, "1").invocation);
  EXPECT_EQ(parse_command_line({"doctor", "credentials"}, "1").exit_status, 2);
  EXPECT_EQ(parse_command_line({"doctor", "x", "r.io"}, "1").exit_status, 2);
}

TEST(AccountTest, TheDockerPluginSaysWhoItIsAndDropsItsOwnName) {
  EXPECT_TRUE(is_docker_plugin("/x/docker-berth"));
  EXPECT_FALSE(is_docker_plugin("/x/berth"));
  std::vector<std::string> arguments = {"docker-cli-plugin-metadata"};
  EXPECT_THAT(docker_plugin(arguments).value_or(""),
              ::testing::HasSubstr(R"("SchemaVersion":"0.1.0","Vendor":"berth")"));
  arguments = {"berth", "ls", "berth"};
  EXPECT_FALSE(docker_plugin(arguments));
  EXPECT_EQ(arguments, (std::vector<std::string>{"ls", "berth"}));
}

}  // namespace
}  // namespace berth::cli
