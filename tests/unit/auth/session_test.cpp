// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/session.hpp"

#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <latch>
#include <map>
#include <thread>

#include "berth/base/text.hpp"

#include "support/fake_clock.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"
#include "unit/auth/scripted_transport.hpp"

namespace berth::auth {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr const char* kBearer =
    R"(Bearer realm="https://auth.r.example/token",service="r",scope="repository:a:pull")";
constexpr const char* kBasic = R"(Basic realm="r")";

/// A registry at https://r.example and its token server, which issues "T1", "T2", ...
class SessionTest : public ::testing::Test {
 protected:
  SessionTest() {
    std::filesystem::create_directories(home.path() / "run");
    variables = {{"HOME", home.path().string()},
                 {"XDG_RUNTIME_DIR", (home / "run").string()},
                 {"PATH", (home / "bin").string() + ":/usr/bin:/bin"}};
    options.registry = url("https://r.example");
    options.name = "r.example";
  }

  void docker_config(const std::string& json) const {
    const auto path = home.write(".docker/config.json", json);
    ::chmod(path.c_str(), 0600);
  }
  void log_in_as(const std::string& user_and_password) const {
    docker_config(R"({"auths":{"r.example":{"auth":")" +
                  text::to_base64(as_bytes(user_and_password)) + "\"}}}");
  }
  void start(ScriptedTransport::Script registry) {
    session.reset();
    transport = std::make_unique<ScriptedTransport>(
        [this, registry = std::move(registry)](const Seen& seen) -> Result<http::Response> {
          if (seen.url.starts_with("https://auth.r.example/")) return issue(seen);
          return registry(seen);
        });
    http::ClientOptions client_options{.retry = {.attempts = 1}, .clock = &clock};
    client = std::make_unique<http::Client>(*transport, client_options);
    credential::KeychainOptions keychain_options;
    keychain_options.environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
    keychain_options.clock = &clock;
    keychain = std::make_unique<credential::Keychain>(keychain_options);
    tokens = std::make_unique<TokenStore>(std::nullopt, clock);
    session = std::make_unique<Session>(*client, *keychain, *tokens, options);
  }
  Result<http::Response> issue(const Seen& seen) {
    if (!token_user.empty() &&
        seen.authorization != "Basic " + text::to_base64(as_bytes(token_user))) {
      return answer(401, R"({"errors":[{"code":"UNAUTHORIZED"}]})");
    }
    return answer(200, R"({"token":"T)" + std::to_string(++issued) + R"(","expires_in":300})");
  }
  Result<http::Response> send(const std::string& repository = "a",
                              const Context& context = Context()) const {
    http::Request request;
    request.url = options.registry.with_path("/v2/" + repository + "/manifests/latest");
    return session->send(std::move(request), Scopes::pull(repository), repository, context);
  }
  int status(const std::string& repository = "a") const {
    const auto response = send(repository);
    EXPECT_THAT(response, test::IsOk());
    return response ? response->status : 0;
  }
  int registry_requests() const {
    int count = 0;
    for (const Seen& seen : transport->seen()) count += seen.url.starts_with("https://r.") ? 1 : 0;
    return count;
  }
  /// Answers to the token alone that is good now.
  ScriptedTransport::Script wants_token(const char* challenge = kBearer) {
    return [this, challenge](const Seen& seen) -> Result<http::Response> {
      if (seen.authorization == "Bearer " + good) return answer(200);
      return answer(401, "", {challenge});
    };
  }

  test::FakeClock clock;
  test::TempDir home;
  std::map<std::string, std::string> variables;
  SessionOptions options;
  std::string good = "T1";
  std::string token_user;  ///< "user:password" that the token server wants; "" for anybody
  std::atomic<int> issued = 0;
  std::unique_ptr<ScriptedTransport> transport;
  std::unique_ptr<http::Client> client;
  std::unique_ptr<credential::Keychain> keychain;
  std::unique_ptr<TokenStore> tokens;
  std::unique_ptr<Session> session;
};

TEST_F(SessionTest, ShowsNothingToARegistryThatAsksForNothing) {
  home.write("bin/docker-credential-x", "#!/bin/sh\ntouch " + (home / "ran").string() + "\n");
  docker_config(R"({"credsStore":"x"})");
  start([](const Seen&) -> Result<http::Response> { return answer(200); });
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(transport->seen()[0].authorization, "");
  EXPECT_FALSE(std::filesystem::exists(home / "ran")) << "the helper ran for nothing";
}

TEST_F(SessionTest, GetsAnAnonymousTokenAndUsesItAtOnceFromThenOn) {
  start(wants_token());
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(status(), 200);
  EXPECT_THAT(transport->lines(),
              ElementsAre("GET https://r.example/v2/a/manifests/latest",
                          "GET https://auth.r.example/token?service=r&scope=repository%3Aa%3Apull",
                          "GET https://r.example/v2/a/manifests/latest",
                          "GET https://r.example/v2/a/manifests/latest"));
  good = "T2";
  EXPECT_EQ(status("b"), 200) << "a token for b is fetched before b is asked for";
  EXPECT_EQ(registry_requests(), 4);
}

TEST_F(SessionTest, ShowsThePasswordToTheTokenServerAlone) {
  log_in_as("alice:wonder");
  token_user = "alice:wonder";
  start(wants_token());
  EXPECT_EQ(status(), 200);
  for (const Seen& seen : transport->seen()) {
    if (seen.url.starts_with("https://r.example")) {
      EXPECT_THAT(seen.authorization, Not(HasSubstr("Basic")));
    }
  }
}

TEST_F(SessionTest, SendsBasicAtOnceAfterTheFirstTime) {
  log_in_as("alice:wonder");
  start([](const Seen& seen) -> Result<http::Response> {
    if (seen.authorization == "Basic YWxpY2U6d29uZGVy") return answer(200);
    return answer(401, "", {kBasic});
  });
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(registry_requests(), 3);
}

TEST_F(SessionTest, PrefersBearerButTakesBasicWhereTheRealmIsUnusable) {
  log_in_as("alice:wonder");
  start([](const Seen& seen) -> Result<http::Response> {
    if (seen.authorization.starts_with("Bearer")) return answer(200);
    return answer(401, "", {kBasic, kBearer});
  });
  EXPECT_EQ(status(), 200);
  start([](const Seen& seen) -> Result<http::Response> {
    if (seen.authorization.starts_with("Basic")) return answer(200);
    return answer(401, "", {R"(Bearer realm="file:///etc/passwd", Basic realm="r")"});
  });
  EXPECT_EQ(status(), 200);
}

TEST_F(SessionTest, AStaleTokensRefusalIsRetriedOnce) {
  start(wants_token());
  EXPECT_EQ(status(), 200);
  good = "T2";  // the registry was restarted with another key
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(issued, 2);
  good = "none of them";
  EXPECT_THAT(send(), test::HasCode(Errc::unauthenticated));
  EXPECT_EQ(issued, 3) << "one fresh token and no more";
}

TEST_F(SessionTest, AFreshTokenThatIsRefusedIsNotFetchedAgain) {
  log_in_as("alice:wonder");
  good = "none of them";
  start(wants_token());
  const auto response = send();
  EXPECT_THAT(response, test::HasCode(Errc::unauthenticated));
  EXPECT_EQ(issued, 1);
  EXPECT_EQ(registry_requests(), 2);
}

TEST_F(SessionTest, OneFreshTokenForSixteenThreadsWithAStaleOne) {
  start(wants_token());
  EXPECT_EQ(status(), 200);
  good = "T2";
  std::latch all_there(16);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      all_there.arrive_and_wait();
      EXPECT_EQ(status(), 200);
    });
  }
  threads.clear();
  EXPECT_EQ(issued, 2);
}

TEST_F(SessionTest, AsksForWhatTheChallengeNamesFirstAndRemembersIt) {
  start([this](const Seen& seen) -> Result<http::Response> {
    const bool enough = seen.authorization == "Bearer T" + std::to_string(issued) && issued > 0;
    if (enough) return answer(200);
    return answer(401, "",
                  {R"(Bearer realm="https://auth.r.example/token",scope="repository:Z/a:pull")"});
  });
  EXPECT_EQ(status(), 200);
  EXPECT_THAT(transport->lines()[1],
              HasSubstr("?scope=repository%3AZ%2Fa%3Apull&scope=repository%3Aa%3Apull"));
  clock.advance(std::chrono::minutes(10));
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(registry_requests(), 3);
}

TEST_F(SessionTest, A403IsAnAnswerAndNeverALoop) {
  start([](const Seen&) -> Result<http::Response> { return answer(403, "", {kBearer}); });
  EXPECT_EQ(status(), 403);
  EXPECT_EQ(registry_requests(), 1);
}

TEST_F(SessionTest, A401WithoutAChallengeIsGreetedFirst) {
  start([](const Seen& seen) -> Result<http::Response> {
    if (seen.authorization == "Bearer T1") return answer(200);
    if (seen.url == "https://r.example/v2/") return answer(401, "", {kBearer});
    return answer(401);
  });
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(transport->lines()[1], "GET https://r.example/v2/");
}

TEST_F(SessionTest, A401WithoutAnyChallengeIsExplained) {
  start([](const Seen&) -> Result<http::Response> { return answer(401); });
  const auto response = send();
  EXPECT_THAT(response, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(response.error().message(), HasSubstr("does not say how to log in"));
  EXPECT_EQ(registry_requests(), 2);
}

TEST_F(SessionTest, AnUnknownSchemeIsNamed) {
  start([](const Seen&) -> Result<http::Response> { return answer(401, "", {"Negotiate abc"}); });
  const auto response = send();
  EXPECT_THAT(response, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(response.error().message(), HasSubstr("negotiate"));
}

TEST_F(SessionTest, A401FromElsewhereIsNotAnswered) {
  log_in_as("alice:wonder");
  start([](const Seen&) -> Result<http::Response> {
    http::Response response = answer(401, "", {kBasic});
    response.url = url("https://storage.test/blob?signature=s3cr3t");
    return response;
  });
  const auto response = send();
  EXPECT_THAT(response, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(response.error().message(), HasSubstr("https://storage.test"));
  EXPECT_THAT(response.error().message(), Not(HasSubstr("s3cr3t")));
  EXPECT_THAT(transport->seen(), SizeIs(1));
}

TEST_F(SessionTest, ARequestElsewhereIsADefect) {
  start([](const Seen&) -> Result<http::Response> { return answer(200); });
  http::Request request;
  request.url = url("https://r.example:444/v2/");
  EXPECT_THAT(session->send(std::move(request), Scopes(), "", Context()),
              test::HasCode(Errc::internal));
  EXPECT_THAT(transport->seen(), IsEmpty());
}

TEST_F(SessionTest, NonBlockingSendsNothing) {
  start(wants_token());
  EXPECT_THAT(send("a", Context().nonblocking()), test::HasCode(Errc::would_block));
  EXPECT_THAT(transport->seen(), IsEmpty());
}

TEST_F(SessionTest, ARegistryTokenIsSentAsItIs) {
  docker_config(R"({"auths":{"r.example":{"registrytoken":"RAW"}}})");
  good = "RAW";
  start(wants_token());
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(issued, 0);
  good = "other";
  const auto response = send();
  EXPECT_THAT(response, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(response.error().message(), HasSubstr("registry token"));
  EXPECT_THAT(response.error().message(), Not(HasSubstr("RAW")));
}

TEST_F(SessionTest, BasicIsNotSentOverPlainHttpUnlessThatWasAllowed) {
  options.registry = url("http://r.example");
  log_in_as("alice:wonder");
  const auto script = [](const Seen& seen) -> Result<http::Response> {
    if (seen.authorization.starts_with("Basic")) return answer(200);
    return answer(401, "", {kBasic});
  };
  start(script);
  const auto response = send();
  EXPECT_THAT(response, test::HasCode(Errc::untrusted));
  EXPECT_THAT(response.error().message(), HasSubstr("over plain http"));
  EXPECT_THAT(transport->seen(), SizeIs(1));
  options.plain_http_allowed = true;
  start(script);
  EXPECT_EQ(status(), 200);
  EXPECT_TRUE(transport->seen()[0].request.allow_plain_http);
}

TEST_F(SessionTest, RealmsThatMayNotBeAskedAreErrors) {
  log_in_as("alice:wonder");
  for (const char* realm : {"https://evil.test/token", "http://auth.r.example/token",
                            "https://10.1.2.3/token", "https://127.0.0.1/token"}) {
    const std::string challenge = std::string("Bearer realm=\"") + realm + "\"";
    start([&](const Seen&) -> Result<http::Response> { return answer(401, "", {challenge}); });
    EXPECT_THAT(send(), test::HasCode(Errc::untrusted)) << realm;
    EXPECT_THAT(transport->seen(), SizeIs(1)) << realm;
  }
}

TEST_F(SessionTest, AWrongChallengeIsForgottenWhenTheRegistryHeals) {
  for (const char* realm : {"http://r.example/token", "https://auth.r.example/gone"}) {
    bool heals = false;
    const std::string challenge = std::string("Bearer realm=\"") + realm + "\"";
    start([&](const Seen& seen) -> Result<http::Response> {
      if (heals) return answer(seen.authorization.empty() ? 200 : 500);
      return answer(401, "", {challenge});
    });
    token_user = "somebody:else";
    EXPECT_FALSE(send());
    EXPECT_FALSE(send());
    heals = true;
    EXPECT_EQ(status(), 200) << realm;
  }
}

TEST_F(SessionTest, ATokenServerThatIsDownIsAskedOnceARequest) {
  int asked = 0;
  start([&](const Seen& seen) -> Result<http::Response> {
    if (seen.url.find("/token") == std::string::npos) {
      return answer(401, "", {R"(Bearer realm="https://r.example/token")"});
    }
    ++asked;
    return answer(503);
  });
  EXPECT_THAT(send(), test::HasCode(Errc::unavailable));
  EXPECT_EQ(asked, 1);
  EXPECT_THAT(send(), test::HasCode(Errc::unavailable));
  EXPECT_EQ(asked, 2);
}

TEST_F(SessionTest, ANewPasswordInTheFileIsTried) {
  log_in_as("alice:old");
  start([](const Seen& seen) -> Result<http::Response> {
    if (seen.authorization == "Basic YWxpY2U6bmV3") return answer(200);
    return answer(401, "", {kBasic});
  });
  EXPECT_THAT(send(), test::HasCode(Errc::unauthenticated));
  log_in_as("alice:new");
  EXPECT_EQ(status(), 200);
}

TEST_F(SessionTest, AHelpersOldAnswerIsAskedForAgain) {
  const auto helper = [&](const std::string& password) {
    const auto path =
        home.write("bin/docker-credential-x",
                   "#!/bin/sh\necho '{\"Username\":\"alice\",\"Secret\":\"" + password + "\"}'\n");
    ::chmod(path.c_str(), 0755);
  };
  docker_config(R"({"credsStore":"x"})");
  helper("first");
  token_user = "alice:first";
  good = "T1";
  start(wants_token());
  EXPECT_EQ(status(), 200);
  helper("second");
  token_user = "alice:second";
  good = "T2";
  clock.advance(std::chrono::seconds(280));  // the token is old, the helper's answer kept
  EXPECT_EQ(status(), 200);
}

TEST_F(SessionTest, AFailingHelperIsTheError) {
  const auto path =
      home.write("bin/docker-credential-x", "#!/bin/sh\necho the key ring is locked\nexit 1\n");
  ::chmod(path.c_str(), 0755);
  docker_config(R"({"credsStore":"x"})");
  start(wants_token());
  const auto response = send();
  EXPECT_THAT(response, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(response.error().message(), HasSubstr("the key ring is locked"));
  EXPECT_EQ(issued, 0);
}

TEST_F(SessionTest, ARefusalNamesUserSourceAndRemedy) {
  log_in_as("alice:wonder");
  token_user = "alice:other";
  start(wants_token());
  const auto response = send();
  EXPECT_THAT(response, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(response.error().message(),
              AllOf(HasSubstr("https://auth.r.example, the token server of r.example, refused user "
                              "alice (from ~/.docker/config.json): check the password, or run "
                              "`docker login r.example` or `podman login r.example`"),
                    Not(HasSubstr("wonder"))));
  ASSERT_NE(response.error().http(), nullptr);
  EXPECT_EQ(response.error().http()->status, 401);
  start([](const Seen&) -> Result<http::Response> { return answer(401, "", {kBasic}); });
  EXPECT_THAT(send().error().message(),
              HasSubstr("r.example refused user alice (from ~/.docker/config.json)"));
}

TEST_F(SessionTest, ARefusalWithoutCredentialsNamesEverySourceTried) {
  start([](const Seen&) -> Result<http::Response> { return answer(401, "", {kBasic}); });
  const auto response = send();
  EXPECT_THAT(response, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(response.error().message(),
              AllOf(HasSubstr("no credentials for it were found: run `docker login r.example`"),
                    HasSubstr("tried: "), HasSubstr("/.docker/config.json (no such file)"),
                    HasSubstr("/run/containers/auth.json (no such file)")));
  EXPECT_EQ(registry_requests(), 1);
}

TEST_F(SessionTest, ATokenOfAFileThatEndedIsToldFromAWrongPassword) {
  docker_config(R"({"auths":{"r.example":{"registrytoken":"RAW"}}})");
  good = "none of them";
  start(wants_token(
      R"(Bearer realm="https://auth.r.example/token",service="r",scope="repository:a:pull",error="invalid_token")"));
  const auto raw = send();
  ASSERT_THAT(raw, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(raw.error().message(),
              StartsWith("r.example refused the registry token from ~/.docker/config.json: it may "
                         "have expired; run `docker login r.example` or `podman login r.example`; "
                         "the registry says invalid_token; tried: "));
  EXPECT_THAT(raw.error().message(), Not(HasSubstr("RAW")));
  EXPECT_EQ(issued, 0) << "it is a token already";
  docker_config(R"({"auths":{"r.example":{"identitytoken":"REFRESH"}}})");
  token_user = "nobody:at all";
  start(wants_token());
  const auto refresh = send();
  ASSERT_THAT(refresh, test::HasCode(Errc::unauthenticated));
  EXPECT_THAT(refresh.error().message(),
              StartsWith("https://auth.r.example, the token server of r.example, refused the "
                         "identity token from ~/.docker/config.json: it may have expired; run "
                         "`docker login r.example` or `podman login r.example`; tried: "));
  EXPECT_THAT(refresh.error().message(), Not(HasSubstr("REFRESH")));
}

TEST_F(SessionTest, ALackOfRightsIsToldFromAWrongPassword) {
  log_in_as("alice:wonder");
  good = "none of them";
  start(wants_token(
      R"(Bearer realm="https://auth.r.example/token",scope="repository:a:pull",error="insufficient_scope")"));
  const auto response = send();
  EXPECT_THAT(response, test::HasCode(Errc::denied));
  EXPECT_THAT(response.error().message(),
              HasSubstr("for repository:a:pull: the account lacks that right"));
}

TEST_F(SessionTest, CredentialsMayDifferByRepository) {
  const auto path =
      home.write("run/containers/auth.json",
                 R"({"auths":{"r.example/a":{"auth":"YTpw"},"r.example/b":{"auth":"Yjpw"}}})");
  ::chmod(path.c_str(), 0600);
  start([](const Seen& seen) -> Result<http::Response> {
    const bool a = seen.url.find("/a/") != std::string::npos;
    if (seen.authorization == (a ? "Basic YTpw" : "Basic Yjpw")) return answer(200);
    return answer(401, "", {kBasic});
  });
  EXPECT_EQ(status("a"), 200);
  EXPECT_EQ(status("b"), 200);
}

}  // namespace
}  // namespace berth::auth
