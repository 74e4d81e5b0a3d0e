// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/routes.hpp"

#include <algorithm>

#include "berth/credential/config.hpp"

#include "unit/credential/keychain_fixture.hpp"

namespace berth::credential {
namespace {

using ::testing::HasSubstr;

struct Match {
  const char* pattern;
  const char* name;
  bool matches;
};
class PatternTest : public ::testing::TestWithParam<Match> {};

TEST_P(PatternTest, MatchesAsTheKubeletDoes) {
  const auto& [pattern, name, matches] = GetParam();
  EXPECT_THAT(check_pattern(pattern), test::IsOk());
  EXPECT_EQ(pattern_matches(pattern, *parse_server_key(name)), matches) << pattern << " " << name;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, PatternTest,
    ::testing::Values(
        Match{"*", "any.example:5000/x", true}, Match{"ghcr.io", "ghcr.io", true},
        Match{"GHCR.io", "ghcr.io", true}, Match{"ghcr.io", "ghcr.io/a/b", true},
        Match{"ghcr.io", "x.ghcr.io", false}, Match{"*.azurecr.io", "my.azurecr.io", true},
        Match{"*.azurecr.io", "a.b.azurecr.io", false}, Match{"*.azurecr.io", "azurecr.io", false},
        Match{"app*.k8s.io", "app-1.k8s.io", true}, Match{"app*.k8s.io", "ap.k8s.io", false},
        Match{"*.dkr.ecr.*.amazonaws.com", "1.dkr.ecr.eu-west-1.amazonaws.com", true},
        Match{"h.example", "h.example:5000", false},
        Match{"h.example:5000", "h.example:5000", true},
        Match{"h.example:*", "h.example:5000", true}, Match{"h.example:*", "h.example", true},
        Match{"*:5000", "h.example:5000", true}, Match{"*:5000", "h.example", false},
        Match{"ghcr.io/org", "ghcr.io/org/app", true}, Match{"ghcr.io/org", "ghcr.io/organ", false},
        Match{"ghcr.io/org", "ghcr.io", false}, Match{"ghcr.io/*/app", "ghcr.io/o/app/x", true},
        Match{"ghcr.io/or*", "ghcr.io/organ/x", true}, Match{"docker.io", "index.docker.io", true},
        Match{"index.docker.io", "docker.io", true}));

TEST(RoutesTest, PatternsThatMatchNothingAreRefused) {
  for (const char* bad : {"", "https://ghcr.io", "a b", "ghcr.io//x", "ghcr.io:x", "/x", "-x.y"}) {
    EXPECT_THAT(check_pattern(bad), test::HasCode(Errc::invalid_argument)) << bad;
  }
}

TEST(RoutesTest, TheClosestRouteWinsWhateverTheOrder) {
  CredentialConfig config;
  for (const auto& [pattern, use] : {std::pair{"*", "helper:all"},
                                     {"ghcr.io/org", "helper:org"},
                                     {"*.io", "helper:io"},
                                     {"ghcr.io", "helper:host"},
                                     {"ghcr.io/*", "helper:star"}}) {
    config.routes.push_back(*parse_route(pattern, use));
  }
  const auto helper_for = [&](const char* name) {
    return route_for(config, *parse_server_key(name)).helper;
  };
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(helper_for("ghcr.io/org/app"), "org");
    EXPECT_EQ(helper_for("ghcr.io/other"), "star");
    EXPECT_EQ(helper_for("ghcr.io"), "host");
    EXPECT_EQ(helper_for("quay.io"), "io");
    EXPECT_EQ(helper_for("localhost:5000"), "all");
    std::reverse(config.routes.begin(), config.routes.end());
  }
}

TEST(RoutesTest, HostsThatTheConfigurationSaysAreAcrLeadToEntraToo) {
  const CredentialConfig config{.acr_hosts = {"acr.example.com", "127.0.0.1:5000"}};
  for (const char* acr : {"acr.example.com", "https://ACR.example.com/app", "127.0.0.1:5000"}) {
    EXPECT_EQ(route_for(config, *parse_server_key(acr)).kind, RouteKind::entra) << acr;
  }
  for (const char* other : {"x.acr.example.com", "acr.example.com:5000", "127.0.0.1"}) {
    EXPECT_EQ(route_for(config, *parse_server_key(other)).kind, RouteKind::store) << other;
  }
}

TEST(RoutesTest, WithoutARouteAcrHostsOfEveryCloudLeadToEntraAndOthersToTheStore) {
  for (const char* acr : {"my.azurecr.io", "my.azurecr.cn", "my.azurecr.us", "my.azurecr.de"}) {
    EXPECT_EQ(route_for({}, *parse_server_key(acr)).kind, RouteKind::entra) << acr;
  }
  for (const char* other : {"ghcr.io", "azurecr.io", "my.eu.data.azurecr.io", "my.azurecr.io.evil",
                            "myazurecr.io", "my.azurecr.io:5000"}) {
    EXPECT_EQ(route_for({}, *parse_server_key(other)).kind, RouteKind::store) << other;
  }
}

TEST(RoutesTest, ARouteToBerthItselfNamesTheCircle) {
  const auto route = parse_route("*", "helper:berth");
  ASSERT_THAT(route, test::HasCode(Errc::invalid_argument));
  EXPECT_THAT(route.error().message(), HasSubstr("berth -> berth"));
}

class RoutesConfigTest : public ::testing::Test {
 protected:
  Result<Config> load(const std::string& toml) const {
    home.folder.write("home/.config/berth/config.toml", toml);
    return load_config(home.environment());
  }
  Home home;
};

TEST_F(RoutesConfigTest, ReadsTheCredentialTable) {
  const auto config = load(
      "[credential]\nstore = \"pass\"\nfile = \"~/c.json\"\nhelper_timeout = 5\n"
      "[credential.routes]\n\"*.azurecr.io\" = \"entra\"\n\"ghcr.io/x\" = \"helper:gh\"\n");
  ASSERT_THAT(config, test::IsOk());
  EXPECT_EQ(config->credential.store, "pass");
  EXPECT_EQ(config->credential.file, home.folder / "home/c.json");
  EXPECT_EQ(config->credential.helper_timeout, std::chrono::seconds(5));
  ASSERT_EQ(config->credential.routes.size(), 2U);
  EXPECT_EQ(config->credential.routes[0].use(), "entra");
  EXPECT_EQ(config->credential.routes[1].use(), "helper:gh");
}

TEST_F(RoutesConfigTest, MistakesNameTheLineAndTheRemedy) {
  const std::pair<const char*, const char*> cases[] = {
      {"[credential]\nstore = \"berth\"\n", "line 2: store must be"},
      {"[credential]\nhelper_timeout = 0\n", "line 2: helper_timeout must be"},
      {"[credential]\nstoer = \"pass\"\n", "line 2: unknown key \"stoer\" in [credential]"},
      {"[credential.routes]\n\"*\" = \"passs\"\n", "line 2: \"passs\" is no route: write"},
      {"[credential.routes]\n\"*\" = \"helper:../x\"\n", "cannot be a credential helper's name"},
      {"[credential.routes]\n\"a b\" = \"store\"\n", "line 2: \"a b\" can match no registry"},
      {"[credential.routes]\n\"*\" = 1\n", "a route must be a string"}};
  for (const auto& [toml, why] : cases) {
    const auto config = load(toml);
    ASSERT_THAT(config, test::HasCode(Errc::invalid_argument)) << toml;
    EXPECT_THAT(config.error().message(), HasSubstr(why)) << toml;
  }
}

}  // namespace
}  // namespace berth::credential
