// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/keychain.hpp"

#include <cerrno>

#include "berth/base/log.hpp"

#include "unit/credential/keychain_fixture.hpp"

namespace berth::credential {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST_F(KeychainTest, FindsNothingWhereThereIsNothing) {
  const auto found = find("registry.example");
  ASSERT_THAT(found, test::IsOk());
  EXPECT_TRUE(found->credential.is_anonymous());
  EXPECT_THAT(found->tried, Contains(Field(&Tried::outcome, "no such file")));
}

TEST_F(KeychainTest, EachSourceComesBeforeTheNext) {
  home.folder.write("home/.dockercfg", R"({"r.example":{"auth":"ZG9ja2VyY2ZnOnA="}})");
  EXPECT_EQ(user_of("r.example"), "dockercfg:p");
  home.config_auth(auths("r.example", "xdg-config:p"));
  EXPECT_EQ(user_of("r.example"), "xdg-config:p");
  home.runtime_auth(auths("r.example", "xdg-runtime:p"));
  EXPECT_EQ(user_of("r.example"), "xdg-runtime:p");
  home.docker(auths("r.example", "docker:p"));
  EXPECT_EQ(user_of("r.example"), "docker:p");
  home.variables["REGISTRY_AUTH_FILE"] =
      home.secret_file("named.json", auths("r.example", "authfile:p"));
  EXPECT_EQ(user_of("r.example"), "authfile:p");
  home.variables["DOCKER_AUTH_CONFIG"] = auths("r.example", "variable:p");
  EXPECT_EQ(user_of("r.example"), "variable:p");
}

TEST_F(KeychainTest, CommandLineComesFirst) {
  home.variables["DOCKER_AUTH_CONFIG"] = auths("r.example", "variable:p");
  KeychainOptions given = options();
  given.explicit_credential = Credential{};
  given.explicit_credential->username = "me";
  given.explicit_registry = "r.example";
  Keychain keychain(given);
  const auto found = keychain.find("r.example", "", Context());
  ASSERT_THAT(found, test::IsOk());
  EXPECT_EQ(found->credential.username, "me");
  EXPECT_EQ(found->credential.source, "command line");
  const auto other = keychain.find("other.example", "", Context());
  ASSERT_THAT(other, test::IsOk());
  EXPECT_TRUE(other->credential.is_anonymous());
}

TEST_F(KeychainTest, DockerConfigVariableNamesTheFolder) {
  home.docker(auths("r.example", "home:p"));
  home.secret_file("other/config.json", auths("r.example", "other:p"));
  home.variables["DOCKER_CONFIG"] = (home.folder / "other").string();
  EXPECT_EQ(user_of("r.example"), "other:p");
  home.secret_file("third/config.json", auths("r.example", "third:p"));
  KeychainOptions given = options();
  given.docker_config_dir = home.folder / "third";
  const auto found = Keychain(given).find("r.example", "", Context());
  ASSERT_THAT(found, test::IsOk());
  EXPECT_EQ(found->credential.username, "third");
}

TEST_F(KeychainTest, AuthFileReplacesPodmansFilesButNotDockers) {
  home.runtime_auth(auths("podman.example", "runtime:p"));
  home.docker(auths("docker.example", "docker:p"));
  home.secret_file("named.json", auths("named.example", "named:p"));
  home.variables["REGISTRY_AUTH_FILE"] = (home.folder / "named.json").string();
  EXPECT_EQ(user_of("podman.example"), "");
  EXPECT_EQ(user_of("docker.example"), "docker:p");
  EXPECT_EQ(user_of("named.example"), "named:p");
}

TEST_F(KeychainTest, AnAuthFileThatIsNamedMustExist) {
  home.variables["REGISTRY_AUTH_FILE"] = (home.folder / "gone.json").string();
  const auto found = find("r.example");
  EXPECT_THAT(found, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(found.error().message(), HasSubstr("REGISTRY_AUTH_FILE"));
  EXPECT_THAT(found.error().message(), HasSubstr("gone.json"));
}

TEST_F(KeychainTest, UsesTheRunContainersFolderWithoutARuntimeFolder) {
  home.variables.erase("XDG_RUNTIME_DIR");
  const auto found = find("r.example");
  ASSERT_THAT(found, test::IsOk());
  const std::string file = "/run/containers/" + std::to_string(::getuid()) + "/auth.json";
  EXPECT_THAT(found->tried, Contains(Field(&Tried::source, file)));
}

TEST_F(KeychainTest, WorksWithoutAHome) {
  home.variables.clear();
  EXPECT_THAT(find("r.example"), test::IsOk());
}

struct KeyCase {
  std::string key;
  std::string registry;
  bool matches;
};

class DockerKeyTest : public KeychainTest, public ::testing::WithParamInterface<KeyCase> {};

TEST_P(DockerKeyTest, MatchesAsDockerDoes) {
  home.docker(auths(GetParam().key, "u:p"));
  EXPECT_EQ(user_of(GetParam().registry), GetParam().matches ? "u:p" : "");
}

INSTANTIATE_TEST_SUITE_P(
    Keys, DockerKeyTest,
    ::testing::Values(KeyCase{"r.example", "r.example", true},
                      KeyCase{"r.example:5000", "r.example:5000", true},
                      KeyCase{"r.example:5000", "r.example", false},
                      KeyCase{"https://r.example/v1/", "r.example", true},
                      KeyCase{"http://r.example:5000", "r.example:5000", true},
                      KeyCase{"r.example/some/path", "r.example", true},
                      KeyCase{"R.Example", "r.example", true},
                      KeyCase{"xr.example", "r.example", false},
                      KeyCase{"https://index.docker.io/v1/", "docker.io", true},
                      KeyCase{"https://index.docker.io/v1/", "registry-1.docker.io", true},
                      KeyCase{"docker.io", "index.docker.io", true},
                      KeyCase{"registry-1.docker.io", "docker.io", true},
                      KeyCase{"hub.docker.io", "docker.io", false}));

TEST_F(KeychainTest, TakesTheLongestPathOfTheRepository) {
  home.runtime_auth(R"({"auths":{"h.example":{"auth":"aG9zdDpw"},)"
                    R"("h.example/a":{"auth":"YTpw"},"h.example/a/b":{"auth":"YWI6cA=="}}})");
  EXPECT_EQ(user_of("h.example", "a/b/c"), "ab:p");
  EXPECT_EQ(user_of("h.example", "a/b"), "ab:p");
  EXPECT_EQ(user_of("h.example", "a/bb"), "a:p");
  EXPECT_EQ(user_of("h.example", "aa"), "host:p");
  EXPECT_EQ(user_of("h.example"), "host:p");
}

TEST_F(KeychainTest, PodmanDoesNotTakeAnotherPathsEntry) {
  home.runtime_auth(auths("h.example/team-a", "robot:p"));
  EXPECT_EQ(user_of("h.example", "team-b/app"), "");
  EXPECT_EQ(user_of("h.example", "team-a/app"), "robot:p");
}

TEST_F(KeychainTest, PodmanKeysMayHaveAScheme) {
  home.runtime_auth(auths("https://h.example/v1/", "u:p"));
  EXPECT_EQ(user_of("h.example", "a"), "u:p");
}

TEST_F(KeychainTest, SplitsAuthAtTheFirstColonAndStripsNuls) {
  home.docker(auths("r.example", std::string("user:pa:ss\0\0", 12)));
  EXPECT_EQ(user_of("r.example"), "user:pa:ss");
}

TEST_F(KeychainTest, PlainUserNameAndPasswordAreTaken) {
  home.docker(R"({"auths":{"r.example":{"username":"u","password":"p"}}})");
  EXPECT_EQ(user_of("r.example"), "u:p");
}

TEST_F(KeychainTest, TokensAreTaken) {
  home.docker(R"({"auths":{"i.example":{"auth":"dTo=","identitytoken":"ID"},)"
              R"("r.example":{"registrytoken":"RAW"}}})");
  const auto identity = find("i.example");
  ASSERT_THAT(identity, test::IsOk());
  EXPECT_EQ(identity->credential.identity_token.reveal(), "ID");
  EXPECT_EQ(identity->credential.username, "u");
  const auto registry = find("r.example");
  ASSERT_THAT(registry, test::IsOk());
  EXPECT_EQ(registry->credential.registry_token.reveal(), "RAW");
  EXPECT_EQ(registry->credential.source, "~/.docker/config.json");
}

TEST_F(KeychainTest, AnEmptyEntryIsAMarkerAndTheNextSourceIsAsked) {
  home.docker(R"({"auths":{"r.example":{}}})");
  home.runtime_auth(auths("r.example", "next:p"));
  EXPECT_EQ(user_of("r.example"), "next:p");
}

TEST_F(KeychainTest, BrokenAuthIsAnErrorOfItsOwnRegistryOnly) {
  for (const char* auth : {"!!!", "bm9jb2xvbg==", "OnBhc3M="}) {
    home.docker(std::string(R"({"auths":{"good.example":{"auth":"dTpw"},"bad.example":{"auth":")") +
                auth + "\"}}}");
    const auto bad = find("bad.example");
    EXPECT_THAT(bad, test::HasCode(Errc::unauthenticated)) << auth;
    EXPECT_THAT(bad.error().message(), HasSubstr("bad.example"));
    EXPECT_THAT(bad.error().message(), Not(HasSubstr(auth)));
    EXPECT_EQ(user_of("good.example"), "u:p");
  }
}

TEST_F(KeychainTest, BrokenJsonNamesFileAndPlaceAndShowsNoSecret) {
  home.docker("{\"auths\": {\n  \"r.example\": {\"auth\": \"c2VjcmV0\" oops}}}");
  home.runtime_auth(auths("r.example", "other:p"));
  const auto found = find("r.example");
  EXPECT_THAT(found, test::HasCode(Errc::unauthenticated));
  EXPECT_TRUE(found.error().is_local());
  EXPECT_THAT(found.error().message(), HasSubstr("/.docker/config.json is not valid JSON (line 2"));
  EXPECT_THAT(found.error().describe(), Not(HasSubstr("c2VjcmV0")));
}

TEST_F(KeychainTest, WrongTypesNameTheMember) {
  home.docker(R"({"auths": ["r.example"]})");
  auto found = find("r.example");
  EXPECT_THAT(found, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(found.error().message(), HasSubstr("auths must be an object, not array"));
  home.docker(R"({"auths": {"r.example": {"auth": 7}}})");
  found = find("r.example");
  EXPECT_THAT(found, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(found.error().message(), HasSubstr("auths.\"r.example\".auth"));
}

TEST_F(KeychainTest, AnEmptyFileHasNothing) {
  home.docker("\n");
  EXPECT_EQ(user_of("r.example"), "");
}

TEST_F(KeychainTest, BrokenVariableIsNamed) {
  home.variables["DOCKER_AUTH_CONFIG"] = "{";
  const auto found = find("r.example");
  EXPECT_THAT(found, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(found.error().message(), HasSubstr("DOCKER_AUTH_CONFIG"));
}

TEST_F(KeychainTest, AFolderOrPipeInAFilesPlaceIsAnError) {
  std::filesystem::create_directories(home.folder / "home/.docker/config.json");
  EXPECT_THAT(find("r.example"), test::HasCode(Errc::unauthenticated));
}

TEST_F(KeychainTest, WhatTheSystemSaysIsKept) {
  std::filesystem::create_directories(home.folder / "home/.docker");
  std::filesystem::create_symlink("config.json", home.folder / "home/.docker/config.json");
  const auto found = find("r.example");
  ASSERT_THAT(found, test::HasCode(Errc::unauthenticated));
  EXPECT_EQ(found.error().sys_errno(), ELOOP);
  EXPECT_TRUE(found.error().is_local());
}

TEST_F(KeychainTest, FilesAreReadAgainWhenTheyChanged) {
  Keychain keychain = Keychain(options());
  const auto user = [&] {
    return keychain.find("r.example", "", Context()).value().credential.username;
  };
  home.docker(auths("r.example", "first:p"));
  EXPECT_EQ(user(), "first");
  home.docker(auths("r.example", "second-name:p"));
  EXPECT_EQ(user(), "second-name");
  const auto fresh = home.secret_file("new.json", auths("r.example", "replaced-one:p"));
  std::filesystem::rename(fresh, home.folder / "home/.docker/config.json");
  EXPECT_EQ(user(), "replaced-one");
  std::filesystem::remove(home.folder / "home/.docker/config.json");
  EXPECT_EQ(user(), "");
}

TEST_F(KeychainTest, AFileThatOthersCanReadIsUsedAndWarnedAboutOnce) {
  std::vector<std::string> lines;
  log::set_sink([&](log::Level, std::string_view line) { lines.emplace_back(line); },
                log::Level::warning);
  ::chmod(home.docker(auths("r.example", "u:p")).c_str(), 0644);
  Keychain keychain = Keychain(options());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(keychain.find("r.example", "", Context())->credential.username, "u");
  }
  ::chmod(home.docker(auths("r.example", "changed:p")).c_str(), 0640);
  EXPECT_EQ(keychain.find("r.example", "", Context())->credential.username, "changed");
  log::set_sink({}, log::Level::error);
  ASSERT_THAT(lines, ElementsAre(HasSubstr("chmod 600")));
  EXPECT_THAT(lines[0], HasSubstr("/.docker/config.json"));
}

TEST_F(KeychainTest, AFileWithoutSecretsMayBeReadByOthers) {
  std::vector<std::string> lines;
  log::set_sink([&](log::Level, std::string_view line) { lines.emplace_back(line); },
                log::Level::warning);
  ::chmod(home.docker(R"({"auths":{"r.example":{}}})").c_str(), 0644);
  EXPECT_EQ(user_of("r.example"), "");
  log::set_sink({}, log::Level::error);
  EXPECT_THAT(lines, IsEmpty());
}

TEST_F(KeychainTest, KnownRegistriesAreHostsOfEveryFile) {
  home.variables["DOCKER_AUTH_CONFIG"] = auths("v.example", "u:p");
  home.docker(R"({"auths":{"https://index.docker.io/v1/":{},"d.example:5000":{}},)"
              R"("credHelpers":{"h.example":"pass"}})");
  home.runtime_auth(auths("p.example/team", "u:p"));
  home.config_auth("not json");
  EXPECT_THAT(keychain().known_registries(),
              ElementsAre("d.example:5000", "docker.io", "h.example", "p.example", "v.example"));
}

}  // namespace
}  // namespace berth::credential
