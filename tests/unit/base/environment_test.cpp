// SPDX-License-Identifier: Apache-2.0
#include "berth/base/environment.hpp"

#include <map>

#include <gtest/gtest.h>

namespace berth {
namespace {

Environment of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto at = variables.find(name);
    return at == variables.end() ? std::nullopt : std::optional(at->second);
  };
}

TEST(EnvironmentTest, ReadsTheProcessOwn) {
  EXPECT_TRUE(real_environment("PATH"));
  EXPECT_FALSE(real_environment("BERTH_SURELY_NOT_SET"));
}

TEST(EnvironmentTest, AnEmptyVariableIsNone) {
  ::setenv("BERTH_TEST_EMPTY", "", 1);
  EXPECT_EQ(real_environment("BERTH_TEST_EMPTY"), std::nullopt);
  ::unsetenv("BERTH_TEST_EMPTY");
}

TEST(EnvironmentTest, XdgFoldersComeFirst) {
  const Environment environment =
      of({{"HOME", "/home/a"}, {"XDG_CACHE_HOME", "/c"}, {"XDG_CONFIG_HOME", "/d"}});
  EXPECT_EQ(xdg_cache_home(environment), "/c");
  EXPECT_EQ(xdg_config_home(environment), "/d");
}

TEST(EnvironmentTest, RelativeAndEmptyXdgFoldersAreIgnored) {
  const Environment environment =
      of({{"HOME", "/home/a"}, {"XDG_CACHE_HOME", "c"}, {"XDG_CONFIG_HOME", ""}});
  EXPECT_EQ(xdg_cache_home(environment), "/home/a/.cache");
  EXPECT_EQ(xdg_config_home(environment), "/home/a/.config");
}

TEST(EnvironmentTest, WithoutAHomeThereIsNone) {
  EXPECT_EQ(home_directory(of({})), std::nullopt);
  EXPECT_EQ(home_directory(of({{"HOME", "relative"}})), std::nullopt);
  EXPECT_EQ(xdg_cache_home(of({})), std::nullopt);
}

}  // namespace
}  // namespace berth
