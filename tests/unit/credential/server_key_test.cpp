// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/server_key.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace berth::credential {
namespace {

using ::testing::ElementsAre;

struct Form {
  const char* given;
  const char* text;
};
class ServerKeyTest : public ::testing::TestWithParam<Form> {};

TEST_P(ServerKeyTest, EveryFormThatToolsSendIsOneName) {
  const auto key = parse_server_key(GetParam().given);
  ASSERT_THAT(key, test::IsOk()) << GetParam().given;
  EXPECT_EQ(key->text(), GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, ServerKeyTest,
    ::testing::Values(Form{"127.0.0.1:5000", "127.0.0.1:5000"}, Form{"ghcr.io\n", "ghcr.io"},
                      Form{"GHCR.io", "ghcr.io"}, Form{"https://ghcr.io", "ghcr.io"},
                      Form{"https://ghcr.io/", "ghcr.io"}, Form{"https://ghcr.io/v2/", "ghcr.io"},
                      Form{"https://ghcr.io:443", "ghcr.io"}, Form{"ghcr.io:443", "ghcr.io"},
                      Form{"http://ghcr.io", "ghcr.io"}, Form{"http://ghcr.io:80", "ghcr.io"},
                      Form{"http://ghcr.io:443", "ghcr.io"}, Form{"//ghcr.io", "ghcr.io"},
                      Form{"https://index.docker.io/v1/", "docker.io"},
                      Form{"index.docker.io", "docker.io"},
                      Form{"registry-1.docker.io", "docker.io"}, Form{"docker.io", "docker.io"},
                      Form{"ghcr.io/org/app", "ghcr.io/org/app"},
                      Form{"https://ghcr.io/org?x=1#y", "ghcr.io/org"},
                      Form{"[::1]:5000", "[::1]:5000"}, Form{"localhost", "localhost"},
                      Form{"  ghcr.io \r\n", "ghcr.io"}));

TEST(ServerKeyRefusalTest, NamesWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"ftp://ghcr.io", "unsupported scheme"},
      {"https://user:pw@ghcr.io", "names a user"},
      {"ghcr.io\nevil.example", "control characters"},
      {"ghcr.io\x7f", "control characters"},
      {"https:///path", "no host"},
      {"ghcr io", "no host that can be one"},
      {"", "no host"}};
  for (const auto& [given, why] : cases) {
    const auto key = parse_server_key(given);
    ASSERT_THAT(key, test::HasCode(Errc::invalid_argument)) << given;
    EXPECT_THAT(key.error().message(), ::testing::HasSubstr(why)) << given;
  }
  EXPECT_FALSE(parse_server_key(std::string("a\0b", 3)));
  EXPECT_FALSE(parse_server_key(std::string(3000, 'a')));
}

TEST(ServerKeyNamesTest, ServerUrlIsWhatDockerAsksFor) {
  EXPECT_EQ(parse_server_key("docker.io")->server_url(), "https://index.docker.io/v1/");
  EXPECT_EQ(parse_server_key("https://index.docker.io/v1/access-token")->server_url(),
            "https://index.docker.io/v1/access-token");
  EXPECT_EQ(parse_server_key("https://h.example:5000")->server_url(), "h.example:5000");
}

TEST(ServerKeyNamesTest, CandidatesGoFromTheRepositoryToTheHostButAUrlsPathIsItsOwn) {
  EXPECT_THAT(parse_server_key("h.io/a/b")->candidates(),
              ElementsAre("h.io/a/b", "h.io/a", "h.io"));
  EXPECT_THAT(parse_server_key("https://index.docker.io/v1/access-token")->candidates(),
              ElementsAre("docker.io/v1/access-token"));
}

}  // namespace
}  // namespace berth::credential
