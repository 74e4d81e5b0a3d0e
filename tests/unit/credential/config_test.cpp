// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/config.hpp"

#include <thread>

#include "credential/certs.hpp"
#include "unit/credential/keychain_fixture.hpp"

namespace berth::credential {
namespace {

using ::testing::HasSubstr;

class ConfigTest : public ::testing::Test {
 protected:
  Result<Config> load(const std::string& toml) {
    home.variables["BERTH_CONFIG"] = home.folder.write("config.toml", toml).string();
    return load_config(home.environment());
  }
  Home home;
};

TEST_F(ConfigTest, ReadsARegistry) {
  const auto config = load(R"([registry."r.example:5000"]
plain_http = true
insecure_skip_verify = true
ca_file = "/etc/ca.pem"
client_cert_file = "certs/me.pem"
client_key_file = "~/me.key"
client_key_password_file = "/run/secrets/me"
[cache]
limit = "20GiB"
)");
  ASSERT_THAT(config, test::IsOk());
  const RegistryConfig registry = registry_config(*config, "r.example:5000", home.environment());
  EXPECT_EQ(registry.plain_http, true);
  EXPECT_TRUE(registry.insecure_skip_verify);
  EXPECT_EQ(registry.ca_file, "/etc/ca.pem");
  EXPECT_EQ(registry.client_cert_file, (home.folder / "certs/me.pem").string());
  EXPECT_EQ(registry.client_key_file, (home.folder / "home/me.key").string());
  EXPECT_EQ(registry.client_key_password_file, "/run/secrets/me");
  EXPECT_EQ(config->cache_limit, "20GiB");
  EXPECT_EQ(config->file, home.folder / "config.toml");
  EXPECT_EQ(registry_config(*config, "r.example", home.environment()).plain_http, std::nullopt);
}

TEST_F(ConfigTest, IsFoundInTheConfigFolder) {
  home.folder.write("home/.config/berth/config.toml", "[cache]\nlimit = '1G'\n");
  const auto config = load_config(home.environment());
  ASSERT_THAT(config, test::IsOk());
  EXPECT_EQ(config->cache_limit, "1G");
}

TEST_F(ConfigTest, AFileThatIsNamedMustExist) {
  home.variables["BERTH_CONFIG"] = (home.folder / "gone.toml").string();
  const auto config = load_config(home.environment());
  EXPECT_THAT(config, test::HasCode(Errc::invalid_argument));
  EXPECT_THAT(config.error().message(), HasSubstr("BERTH_CONFIG"));
}

struct BadConfig {
  const char* toml;
  int line;
  const char* says;
};

class BadConfigTest : public ConfigTest, public ::testing::WithParamInterface<BadConfig> {};

TEST_P(BadConfigTest, NamesTheLineAndTheKey) {
  const auto config = load(GetParam().toml);
  EXPECT_THAT(config, test::HasCode(Errc::invalid_argument));
  EXPECT_THAT(config.error().message(),
              HasSubstr("config.toml, line " + std::to_string(GetParam().line) + ":"));
  EXPECT_THAT(config.error().message(), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Texts, BadConfigTest,
    ::testing::Values(
        BadConfig{"\n[registries]\n", 2, "\"registries\""},
        BadConfig{"[registry.'r.example']\n\nplain-http = true\n", 3, "\"plain-http\""},
        BadConfig{"[registry.'r.example']\nplain_http = 'yes'\n", 2, "must be true or false"},
        BadConfig{"[registry.'r.example']\nca_file = 7\n", 2, "must be a string"},
        BadConfig{"[registry.'r.example']\nca_file = ''\n", 2, "is empty"},
        BadConfig{"[registry.'https://r.example']\n", 1, "is not a registry"},
        BadConfig{"[registry]\n'r.example' = 1\n", 2, "must be a table"},
        BadConfig{"[cache]\nlimit = 'plenty'\n", 2, "not a size"},
        BadConfig{"[cache]\nlimit = '20'\n", 2, "say 20G"},
        BadConfig{"[cache]\nsize = '1G'\n", 2, "\"size\""},
        BadConfig{"cache = 1\n", 1, "must be a table"}, BadConfig{"a = = 1\n", 1, ""}));

TEST_F(ConfigTest, CertsFoldersCompleteWhatTheFileLeavesOpen) {
  for (const char* name : {"zz.crt", "ca.crt", "client.cert", "client.key", "aa.cert"}) {
    home.folder.write(std::string("home/.config/containers/certs.d/r.example:5000/") + name, "x");
  }
  const auto config = load("[registry.'own.example']\nca_file = '/own.pem'\n");
  ASSERT_THAT(config, test::IsOk());
  const std::string folder =
      (home.folder / "home/.config/containers/certs.d/r.example:5000").string();
  const RegistryConfig found = registry_config(*config, "r.example:5000", home.environment());
  EXPECT_EQ(found.ca_file, folder + "/ca.crt");
  EXPECT_EQ(found.more_ca_files, std::vector{folder + "/zz.crt"});
  EXPECT_EQ(found.client_cert_file, folder + "/client.cert");
  EXPECT_EQ(found.client_key_file, folder + "/client.key");
  home.folder.write("home/.config/containers/certs.d/own.example/ca.crt", "x");
  EXPECT_EQ(registry_config(*config, "own.example", home.environment()).ca_file, "/own.pem");
}

TEST_F(ConfigTest, TheFirstCertsFolderWins) {
  const auto first = home.folder.write("first/r.example/other.crt", "x");
  home.folder.write("second/r.example/ca.crt", "x");
  const auto cert = home.folder.write("second/r.example/me.cert", "x");
  home.folder.write("second/r.example/me.key", "x");
  RegistryConfig config;
  add_certs({home.folder / "first", home.folder / "second"}, "r.example", config);
  EXPECT_EQ(config.ca_file, first.string());
  EXPECT_EQ(config.client_cert_file, cert.string());
}

TEST_F(ConfigTest, ARegistrysNameIsTheSameInAnyCase) {
  const auto config = load("[registry.'MyReg.Example:5000']\nplain_http = true\nhttp2 = true\n");
  ASSERT_THAT(config, test::IsOk());
  EXPECT_EQ(registry_config(*config, "myreg.example:5000", home.environment()).plain_http, true);
  EXPECT_TRUE(registry_config(*config, "myreg.example:5000", home.environment()).http2);
  EXPECT_EQ(registry_config(*config, "MYREG.example:5000", home.environment()).plain_http, true);
  EXPECT_THAT(load("[registry.'A.example']\n[registry.'a.example']\n"),
              test::HasCode(Errc::invalid_argument));
}

TEST_F(ConfigTest, OnlyARegistryBecomesAFoldersName) {
  home.folder.write("home/.config/containers/ca.crt", "x");
  const RegistryConfig found = registry_config(Config{}, "..", home.environment());
  EXPECT_EQ(found.ca_file, "");
}

TEST_F(ConfigTest, ARegistryOfAzureUnderANameOfItsOwn) {
  const auto config =
      load("[registry.'images.example']\nacr = true\naudience = 'https://management.azure.com'\n");
  ASSERT_THAT(config, test::IsOk());
  const auto registry = registry_config(*config, "images.example", home.environment());
  EXPECT_TRUE(registry.acr);
  EXPECT_EQ(registry.audience, "https://management.azure.com");
  EXPECT_FALSE(registry_config(*config, "other.example", home.environment()).acr);
  EXPECT_THAT(load("[registry.'images.example']\nacr = 'yes'\n"),
              test::HasCode(Errc::invalid_argument));
}

TEST(ConfigPipeTest, S309_APipeIsReadToItsEnd) {
  const Home home;
  const auto pipe = home.folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const Environment environment = [&](const std::string& name) -> std::optional<std::string> {
    return name == "BERTH_CONFIG" ? std::optional(pipe.string()) : std::nullopt;
  };
  std::thread writer([&] { std::ofstream(pipe) << "[credential]\nstore = \"pass\"\n"; });
  const auto config = load_config(environment);
  writer.join();
  ASSERT_THAT(config, test::IsOk());
  EXPECT_EQ(config->credential.store, "pass");
}

}  // namespace
}  // namespace berth::credential
