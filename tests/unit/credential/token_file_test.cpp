// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/token_file.hpp"

#include "unit/credential/keychain_fixture.hpp"

namespace berth::credential {
namespace {

using std::chrono::hours;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class TokenFilesTest : public ::testing::Test {
 protected:
  TokenFiles open() const { return *TokenFiles::open(home.folder / "tokens"); }
  RefreshToken token(const std::string& value) const {
    return {.value = Secret(value), .issued = now, .expires = now + hours(3)};
  }
  std::filesystem::path only_file() const {
    for (const auto& entry : std::filesystem::directory_iterator(home.folder / "tokens")) {
      return entry.path();
    }
    return {};
  }
  Home home;
  Clock::SystemTime now = std::chrono::floor<std::chrono::seconds>(real_clock().now());
};

TEST_F(TokenFilesTest, KeepsATokenForItsRegistryAndIdentityUntilItExpires) {
  TokenFiles files = open();
  ASSERT_THAT(files.save("my.azurecr.io", "one", token("T")), test::IsOk());
  const auto found = open().find("my.azurecr.io", "one", now);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->value.reveal(), "T");
  EXPECT_EQ(found->issued, now);
  EXPECT_EQ(found->expires, now + hours(3));
  EXPECT_FALSE(files.find("my.azurecr.io", "two", now));
  EXPECT_FALSE(files.find("other.azurecr.io", "one", now));
  EXPECT_FALSE(files.find("my.azurecr.io", "one", now + hours(3)));
  EXPECT_THAT(files.registries("one", now), ElementsAre("my.azurecr.io"));
  EXPECT_TRUE(files.registries("two", now).empty());
  files.erase("my.azurecr.io", "one");
  EXPECT_FALSE(files.find("my.azurecr.io", "one", now));
}

TEST_F(TokenFilesTest, AgesAtHalfItsLife) {
  EXPECT_FALSE(token("T").is_aging(now + std::chrono::minutes(89)));
  EXPECT_TRUE(token("T").is_aging(now + std::chrono::minutes(91)));
}

TEST_F(TokenFilesTest, FilesAreTheUsersAloneAndDamagedOnesCountAsAbsent) {
  TokenFiles files = open();
  ASSERT_THAT(files.save("my.azurecr.io", "one", token("T")), test::IsOk());
  struct stat status{};
  ASSERT_EQ(::stat(only_file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(status.st_mtime, std::chrono::system_clock::to_time_t(now + hours(3)));
  const std::string name = "tokens/" + only_file().filename().string();
  const std::string good = home.read(name);
  for (const std::string& bad :
       {std::string(), std::string("{"), std::string("[]"), std::string(R"({"version":2})"),
        std::string(R"({"version":"1","token":1,"issued":"x"})"),
        std::string(R"({"version":{},"registry":[],"token":"T"})"),
        std::string(R"({"version":1.0,"expires":1e300,"token":"T"})"), good.substr(0, 40)}) {
    home.secret_file(name, bad);
    EXPECT_FALSE(files.find("my.azurecr.io", "one", now)) << bad;
    EXPECT_TRUE(files.registries("one", now).empty()) << bad;
  }
  home.secret_file(name, good);
  EXPECT_TRUE(files.find("my.azurecr.io", "one", now));
  ::chmod(only_file().c_str(), 0644);
  EXPECT_FALSE(files.find("my.azurecr.io", "one", now));
}

TEST_F(TokenFilesTest, TimesBeyondAllCalendarsDoNotOverflow) {
  const auto most = parse_kept_token(
      R"({"token":"T","issued":-9223372036854775808,"expires":18446744073709551615})");
  ASSERT_TRUE(most);
  EXPECT_EQ(std::chrono::system_clock::to_time_t(most->token.issued), 0);
  EXPECT_EQ(std::chrono::system_clock::to_time_t(most->token.expires), 7'258'118'400);
  EXPECT_FALSE(parse_kept_token(R"({"token":"","expires":1})"));
}

TEST_F(TokenFilesTest, AFailureOfAnHourAheadIsNotBelieved) {
  TokenFiles files = open();
  files.remember_failure("my.azurecr.io", "one", now + std::chrono::seconds(30));
  EXPECT_TRUE(files.is_failing("my.azurecr.io", "one", now));
  EXPECT_FALSE(files.is_failing("my.azurecr.io", "two", now));
  EXPECT_FALSE(files.is_failing("my.azurecr.io", "one", now + std::chrono::seconds(30)));
  EXPECT_FALSE(files.is_failing("my.azurecr.io", "one", now - hours(1)));
  ASSERT_THAT(files.save("my.azurecr.io", "one", token("T")), test::IsOk());
  EXPECT_FALSE(files.is_failing("my.azurecr.io", "one", now));
}

TEST_F(TokenFilesTest, AFolderThatIsOpenToOthersOrALinkIsRefused) {
  std::filesystem::create_directories(home.folder / "open");
  ::chmod((home.folder / "open").c_str(), 0755);
  EXPECT_THAT(TokenFiles::open(home.folder / "open"), test::HasCode(Errc::denied));
  (void)open();
  std::filesystem::create_directory_symlink(home.folder / "tokens", home.folder / "link");
  EXPECT_FALSE(TokenFiles::open(home.folder / "link"));
}

// S301
TEST_F(TokenFilesTest, WhoLogsInAsSomebodyElseWithAToolIsAnotherIdentity) {
  home.variables["AZD_CONFIG_DIR"] = (home.folder / "azd").string();
  for (const char* file :
       {"home/.azure/azureProfile.json", "azd/auth.json", "home/.Azure/AzureRmContext.json"}) {
    const std::string nobody = identity_of(home.environment());
    home.folder.write(file, R"({"currentUser":"alice"})");
    const std::string alice = identity_of(home.environment());
    EXPECT_NE(alice, nobody) << file;
    EXPECT_EQ(alice, identity_of(home.environment())) << file;
    home.folder.write(file, R"({"currentUser":"bobby!"})");
    EXPECT_NE(identity_of(home.environment()), alice) << file;
  }
}

TEST_F(TokenFilesTest, AnIdentityIsWhatChoosesItAndNeverASecret) {
  const std::string nobody = identity_of(home.environment());
  home.variables["AZURE_CLIENT_SECRET"] = "hunter2";
  const std::string with_secret = identity_of(home.environment());
  EXPECT_NE(with_secret, nobody);
  EXPECT_THAT(with_secret, Not(HasSubstr("hunter2")));
  home.variables["AZURE_TENANT_ID"] = "t";
  EXPECT_NE(identity_of(home.environment()), with_secret);
  const std::string before = identity_of(home.environment());
  home.folder.write("home/.azure/azureProfile.json", "{}");
  const std::string logged_in = identity_of(home.environment());
  EXPECT_NE(logged_in, before);
  home.folder.write("home/.azure/azureProfile.json", R"({"x":1})");
  EXPECT_NE(identity_of(home.environment()), logged_in);
}

}  // namespace
}  // namespace berth::credential
