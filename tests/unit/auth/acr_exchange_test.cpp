// SPDX-License-Identifier: Apache-2.0
#include "auth/acr_exchange.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <latch>
#include <thread>

#include "berth/auth/session.hpp"
#include "berth/credential/jwt.hpp"
#include "berth/http/transport.hpp"

#include "support/fake_clock.hpp"
#include "support/fake_registry.hpp"
#include "support/jwt.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"
#include "unit/auth/fixed_credential.hpp"
#include "unit/auth/scripted_transport.hpp"

namespace berth::auth {
namespace {

using credential::read_jwt;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using test::HasCode;
using test::IsOk;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// An Azure container registry that asks for a login, and knows the Entra ID token of `alice`.
class AcrExchangeTest : public ::testing::Test {
 protected:
  AcrExchangeTest() {
    entra_ = test::unsigned_jwt({{"tid", "contoso"}, {"oid", "alice"}});
    fake_.add_image("a", "v1", {"layer"});
    fake_.change([this](auto& behaviour) {
      behaviour.auth = test::RegistryBehaviour::Auth::bearer;
      behaviour.entra_tokens = {entra_};
      behaviour.tenant = "contoso";
      behaviour.token_seconds = 75 * 60;
      behaviour.unix_time = [this] {
        return std::int64_t{std::chrono::system_clock::to_time_t(clock_.now())};
      };
    });
    identity_ = FixedCredential::of(entra_);
    options_.registry = url(fake_.origin());
    options_.name = fake_.host();
    options_.is_acr = true;
    start();
  }

  void start() {
    session_.reset();
    client_ = std::make_unique<http::Client>(
        *transport_, http::ClientOptions{.retry = {.attempts = 2}, .clock = &clock_});
    tokens_ = std::make_unique<TokenStore>(folder_, clock_);
    credential::KeychainOptions keychain;
    keychain.environment = [](const std::string&) { return std::nullopt; };
    keychain.explicit_credential = credential_;
    keychain_ = std::make_unique<credential::Keychain>(std::move(keychain));
    options_.token_credential = identity_;
    session_ = std::make_unique<Session>(*client_, *keychain_, *tokens_, options_);
  }
  Result<http::Response> get(const std::string& repository = "a", const std::string& method = "GET",
                             const std::string& path = "tags/list") {
    http::Request request;
    request.method = method;
    request.url = options_.registry.with_path("/v2/" + repository + "/" + path);
    const std::string actions = method == "DELETE" ? ":delete" : ":pull";
    return session_->send(std::move(request), Scopes::parse("repository:" + repository + actions),
                          repository, context_);
  }
  int status(const std::string& repository = "a") {
    const auto response = get(repository);
    EXPECT_THAT(response, IsOk());
    return response ? response->status : 0;
  }
  int exchanges() { return fake_.server().count("POST", "/oauth2/exchange*"); }
  int access_tokens() { return fake_.server().count("POST", "/oauth2/token*"); }
  int refusals() {
    int count = 0;
    for (const auto& request : fake_.server().log()) {
      count += request.target.starts_with("/v2/") && !request.has_header("Authorization") ? 1 : 0;
    }
    return count;
  }

  test::FakeClock clock_;
  test::FakeRegistry fake_{{.acr = true}};
  test::TempDir temp_;
  std::string entra_;
  std::optional<std::filesystem::path> folder_;
  std::optional<credential::Credential> credential_ = credential::Credential{};
  std::shared_ptr<FixedCredential> identity_;
  SessionOptions options_;
  Context context_ = Context().with_timeout(seconds(20));
  std::unique_ptr<http::Transport> transport_ =
      http::make_curl_transport({.use_proxy_environment = false, .environment = {}});
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<credential::Keychain> keychain_;
  std::unique_ptr<TokenStore> tokens_;
  std::unique_ptr<Session> session_;
};

TEST_F(AcrExchangeTest, TheIdentityBecomesARefreshTokenAndThatAnAccessToken) {
  EXPECT_EQ(status(), 200);
  const auto log = fake_.server().log();
  ASSERT_EQ(log.size(), 4U);
  EXPECT_FALSE(log[0].has_header("Authorization"));
  EXPECT_EQ(log[1].target, "/oauth2/exchange?api-version=2021-07-01");
  EXPECT_EQ(log[1].header("Content-Type"), "application/x-www-form-urlencoded");
  test::HttpRequest form;
  form.target = "?" + log[1].body;
  EXPECT_EQ(form.query("grant_type"), "access_token");
  EXPECT_EQ(form.query("service"), fake_.host());
  EXPECT_EQ(form.query("tenant"), "contoso");
  EXPECT_EQ(form.query("access_token"), entra_);
  EXPECT_EQ(log[2].target, "/oauth2/token?api-version=2021-07-01");
  form.target = "?" + log[2].body;
  EXPECT_EQ(form.query("grant_type"), "refresh_token");
  EXPECT_EQ(form.query("scope"), "repository:a:pull");
  EXPECT_TRUE(read_jwt(form.query("refresh_token")));
  EXPECT_EQ(identity_->last_scope, "https://containerregistry.azure.net/.default");
}

TEST_F(AcrExchangeTest, TheAudienceIsTheOneThatIsAskedFor) {
  options_.audience = "https://management.chinacloudapi.cn";
  start();
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(identity_->last_scope, "https://management.chinacloudapi.cn/.default");
}

TEST_F(AcrExchangeTest, TheIdentityIsAskedOnceForAllScopes) {
  EXPECT_EQ(status("a"), 200);
  EXPECT_EQ(get("b")->status, 404);
  EXPECT_EQ(get("a", "DELETE", "manifests/sha256:" + std::string(64, '0'))->status, 404);
  EXPECT_EQ(exchanges(), 1);
  EXPECT_EQ(access_tokens(), 3);
  EXPECT_EQ(identity_->asked, 1);
  EXPECT_EQ(refusals(), 1) << "scopes that are known are asked for before the 401";
}

TEST_F(AcrExchangeTest, ItsOwnOriginIsAskedWhateverTheRealmSays) {
  test::HttpServer elsewhere([](const test::HttpRequest&) { return test::HttpReply{}; });
  fake_.change([&](auto& behaviour) { behaviour.realm = elsewhere.origin() + "/oauth2/token"; });
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(elsewhere.requests(), 0);
}

TEST_F(AcrExchangeTest, SixHoursOfWorkMeetNo401) {
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(refusals(), 1);
  fake_.server().clear_log();
  for (int minute = 0; minute < 6 * 60; ++minute) {
    clock_.advance(minutes(1));
    ASSERT_EQ(status(), 200) << minute;
  }
  for (const auto& request : fake_.server().log()) {
    EXPECT_TRUE(request.target.starts_with("/oauth2/") || request.has_header("Authorization"));
  }
  EXPECT_EQ(access_tokens(), 4) << "each lives 75 minutes";
  EXPECT_GE(exchanges(), 2);
  EXPECT_LE(exchanges(), 4) << "each is good for 3 h 15 min, and renewed at half of that";
  EXPECT_EQ(fake_.server().requests(), 360 + access_tokens() + exchanges());
}

TEST_F(AcrExchangeTest, ATokenThatLapsesInTheMiddleIsRenewed) {
  EXPECT_EQ(status(), 200);
  fake_.change([](auto& behaviour) { behaviour.refuse_cached_tokens = true; });
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(access_tokens(), 2);
  EXPECT_EQ(exchanges(), 1);
}

TEST_F(AcrExchangeTest, ARefreshTokenThatIsNotTakenAnyMoreIsExchangedAgain) {
  EXPECT_EQ(status(), 200);
  fake_.fault({.method = "POST", .target = "/oauth2/token*"}, test::fault::status(401));
  EXPECT_EQ(get("b")->status, 404);
  EXPECT_EQ(exchanges(), 2);
}

TEST_F(AcrExchangeTest, OneExchangeForThirtyTwoThreads) {
  std::latch all_there(32);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 32; ++i) {
    threads.emplace_back([&, i] {
      all_there.arrive_and_wait();
      EXPECT_THAT(get("r" + std::to_string(i)), IsOk());
    });
  }
  threads.clear();
  EXPECT_EQ(exchanges(), 1);
  EXPECT_EQ(identity_->asked, 1);
}

TEST_F(AcrExchangeTest, OneExchangeForEightProcesses) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer ends a process that was forked beside threads and starts some";
#endif
  const auto folder = temp_.path() / "tokens";
  fake_.change([](auto& behaviour) { behaviour.unix_time = {}; });
  session_.reset();
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto transport =
          http::make_curl_transport({.use_proxy_environment = false, .environment = {}});
      http::Client client(*transport);
      TokenStore tokens(folder);
      Session session(client, *keychain_, tokens, options_);
      ::_exit(session.acr_refresh_token(context_) ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int result = -1;
    ::waitpid(child, &result, 0);
    EXPECT_EQ(result, 0);
  }
  EXPECT_EQ(exchanges(), 1);
}

TEST_F(AcrExchangeTest, AnotherIdentityDoesNotGetTheFirstOnesToken) {
  folder_ = temp_.path() / "tokens";
  start();
  EXPECT_EQ(status(), 200);
  identity_ = FixedCredential::of("a token that the registry does not know", "another");
  start();
  EXPECT_THAT(get(), HasCode(Errc::unauthenticated));
  identity_ = FixedCredential::of("not asked for", "one");
  start();
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(identity_->asked, 0) << "the first one's is still good for itself";
}

TEST_F(AcrExchangeTest, GivesTheRefreshTokenItself) {
  const auto token = session_->acr_refresh_token(context_);
  ASSERT_THAT(token, IsOk());
  EXPECT_EQ(token->expires, clock_.now() + seconds(11'700));
  EXPECT_EQ(token->renew_at, clock_.now() + seconds(5'850));
  EXPECT_EQ(session_->acr_refresh_token(context_)->token, token->token);
  clock_.advance(hours(2));
  EXPECT_NE(session_->acr_refresh_token(context_)->token, token->token);
  // Half a life is left when the registry cannot be asked: that is better than none.
  const auto second = session_->acr_refresh_token(context_)->token;
  clock_.advance(hours(2));
  fake_.fault({.target = "/oauth2/exchange*", .times = 0}, test::fault::status(503));
  EXPECT_EQ(session_->acr_refresh_token(context_)->token, second);
  identity_ = nullptr;
  start();
  EXPECT_THAT(session_->acr_refresh_token(context_), HasCode(Errc::invalid_argument));
}

TEST_F(AcrExchangeTest, AClockThatIsWrongDoesNotMatterToTheRegistrysTokens) {
  for (const auto off : {hours(-20), hours(20)}) {
    fake_.change([&](auto& behaviour) {
      behaviour.unix_time = [this, off] {
        return std::int64_t{std::chrono::system_clock::to_time_t(clock_.now() + off)};
      };
    });
    start();
    fake_.server().clear_log();
    EXPECT_EQ(status(), 200);
    EXPECT_EQ(status(), 200);
    EXPECT_EQ(access_tokens(), 1);
    EXPECT_EQ(exchanges(), 1);
  }
}

TEST_F(AcrExchangeTest, WhatEverybodyMayReadCostsNoIdentity) {
  options_.anonymous_first = true;
  fake_.change([](auto& behaviour) { behaviour.anonymous_pull = true; });
  start();
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(identity_->asked, 0);
  // What only some may do is asked for as oneself, from the second time on at once.
  EXPECT_EQ(get("a", "DELETE", "manifests/sha256:" + std::string(64, '0'))->status, 404);
  EXPECT_EQ(identity_->asked, 1);
  fake_.server().clear_log();
  EXPECT_EQ(get("a", "DELETE", "manifests/sha256:" + std::string(64, '1'))->status, 404);
  EXPECT_EQ(fake_.server().requests(), 1);
}

TEST_F(AcrExchangeTest, ARegistryThatGivesNobodyAnythingIsAskedAsOneselfFromThenOn) {
  options_.anonymous_first = true;
  start();
  EXPECT_EQ(status("a"), 200);
  EXPECT_EQ(fake_.server().count("GET", "/oauth2/token*"), 1);
  EXPECT_EQ(get("b")->status, 404);
  EXPECT_EQ(fake_.server().count("GET", "/oauth2/token*"), 1);
}

TEST_F(AcrExchangeTest, WithoutAnIdentityTheRefusalNamesWhatWasTried) {
  options_.anonymous_first = true;
  identity_ = std::make_shared<FixedCredential>([]() -> Result<AccessToken> {
    return Error(Errc::not_found, "nobody is logged in to anything");
  });
  start();
  const auto refused = get();
  ASSERT_THAT(refused, HasCode(Errc::unauthenticated));
  EXPECT_THAT(refused.error().message(),
              AllOf(HasSubstr(fake_.host() + " asks for a login for repository:a:pull"),
                    HasSubstr("run `az login`, `docker login"),
                    HasSubstr("Microsoft Entra ID (nobody is logged in to anything)")));
  // What is there for everybody stays so.
  fake_.change([](auto& behaviour) { behaviour.anonymous_pull = true; });
  EXPECT_EQ(status(), 200);
}

TEST_F(AcrExchangeTest, AnIdentityThatFailsIsAnError) {
  identity_ = std::make_shared<FixedCredential>([]() -> Result<AccessToken> {
    return Error(Errc::unavailable, "the authority burns").retryable(false);
  });
  start();
  const auto refused = get();
  ASSERT_THAT(refused, HasCode(Errc::unavailable));
  EXPECT_THAT(refused.error().message(), HasSubstr("the authority burns"));
}

TEST_F(AcrExchangeTest, ACredentialOfTheKeychainComesFirst) {
  credential_->username = "alice";
  credential_->password = Secret("wonder");
  credential_->source = "a file";
  start();
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(identity_->asked, 0);
  credential_->password = Secret("wrong");
  start();
  EXPECT_THAT(get(), HasCode(Errc::unauthenticated));
  EXPECT_EQ(identity_->asked, 0) << "one that is refused is no reason to be somebody else";
}

TEST_F(AcrExchangeTest, ARefreshTokenOfAFileIsUsedUntilItsEnd) {
  const auto held = session_->acr_refresh_token(context_)->token;
  const auto asked = identity_->asked.load();
  for (const bool as_password : {false, true}) {
    credential_ = credential::Credential{};
    credential_->source = "~/.docker/config.json";
    if (as_password) {
      credential_->username = "00000000-0000-0000-0000-000000000000";
      credential_->password = held;
    } else {
      credential_->identity_token = held;
    }
    start();
    EXPECT_EQ(status(), 200);
    EXPECT_EQ(identity_->asked, asked) << "it was there";
  }
  clock_.advance(hours(4));
  start();
  EXPECT_EQ(status(), 200) << "past its end it counts as absent";
  EXPECT_EQ(identity_->asked, asked + 1);
  identity_ = nullptr;
  start();
  const auto refused = get();
  ASSERT_THAT(refused, HasCode(Errc::unauthenticated));
  EXPECT_THAT(refused.error().message(),
              HasSubstr("~/.docker/config.json (its token ended at 2026-01-01T03:15:00Z)"));
}

TEST_F(AcrExchangeTest, AWrongTenantIsNamed) {
  fake_.change([](auto& behaviour) { behaviour.tenant = "fabrikam"; });
  const auto refused = get();
  ASSERT_THAT(refused, HasCode(Errc::unauthenticated));
  EXPECT_THAT(refused.error().message(),
              AllOf(HasSubstr(fake_.host() + " did not take the Entra ID token of FixedCredential "
                                             "(HTTP 401, without a reason)"),
                    HasSubstr("the token is of the tenant contoso"), HasSubstr("az login --tenant"),
                    Not(HasSubstr("clock")), Not(HasSubstr(entra_))));
}

TEST_F(AcrExchangeTest, AClockThatIsOffIsNamed) {
  fake_.fault({.target = "/oauth2/exchange*"},
              test::fault::status(401, "", {{"Date", "Thu, 01 Jan 2026 02:00:00 GMT"}}));
  const auto refused = get();
  ASSERT_THAT(refused, HasCode(Errc::unauthenticated));
  EXPECT_THAT(refused.error().message(),
              HasSubstr("the clock of this machine is 7200 s behind the registry's: set it right"));
}

TEST_F(AcrExchangeTest, ARefreshTokenThatIsRefusedWithoutAWordIsNamed) {
  EXPECT_EQ(status(), 200);
  fake_.fault({.method = "POST", .target = "/oauth2/token*", .times = 0}, test::fault::status(401));
  const auto refused = get("b");
  ASSERT_THAT(refused, HasCode(Errc::unauthenticated));
  EXPECT_EQ(exchanges(), 2) << "the one that was kept, and a new one";
  EXPECT_EQ(refused.error().message(),
            "token of " + fake_.host() +
                " for repository:b:pull: the registry refused the refresh token that it gave to "
                "FixedCredential (HTTP 401): its rights there may have been taken away meanwhile");
  ASSERT_NE(refused.error().http(), nullptr);
  EXPECT_EQ(refused.error().http()->status, 401);
}

TEST_F(AcrExchangeTest, AFirewallIsNamed) {
  fake_.fault({.target = "/oauth2/exchange*"},
              test::fault::error(403, "DENIED", "client with IP '1.2.3.4' is not allowed access."));
  const auto refused = get();
  ASSERT_THAT(refused, HasCode(Errc::denied));
  EXPECT_THAT(refused.error().message(),
              AllOf(HasSubstr("client with IP '1.2.3.4' is not allowed access."),
                    HasSubstr("network rules")));
}

TEST_F(AcrExchangeTest, ARegistryThatCannotExchangeIsNamed) {
  fake_.fault({.target = "/oauth2/exchange*"}, test::fault::status(404, "Not found"));
  const auto refused = get();
  ASSERT_THAT(refused, HasCode(Errc::unsupported));
  EXPECT_THAT(refused.error().message(), HasSubstr("it is no Azure container registry"));
}

TEST_F(AcrExchangeTest, ThrottlingIsWaitedFor) {
  fake_.fault({.target = "/oauth2/exchange*"}, test::fault::too_many_requests("9"));
  EXPECT_EQ(status(), 200);
  EXPECT_THAT(clock_.sleeps(), ::testing::ElementsAre(seconds(9)));
}

TEST_F(AcrExchangeTest, AnAnswerWithoutATokenIsNamed) {
  for (const char* body : {"", "{}", R"({"refresh_token":""})", R"({"refresh_token":"a b"})"}) {
    fake_.fault({.target = "/oauth2/exchange*"}, test::fault::status(200, body));
    EXPECT_THAT(get(), HasCode(Errc::corrupt)) << body;
  }
}

TEST_F(AcrExchangeTest, ARoleThatIsMissingIsNamed) {
  fake_.change([](auto& behaviour) { behaviour.entra_actions = {"pull"}; });
  const auto refused = get("a", "DELETE", "manifests/sha256:" + std::string(64, '0'));
  ASSERT_THAT(refused, HasCode(Errc::denied));
  EXPECT_THAT(refused.error().message(),
              AllOf(HasSubstr("knows the Entra ID identity (of FixedCredential) and does not give "
                              "it repository:a:delete"),
                    HasSubstr("AcrDelete"), HasSubstr("the registry says insufficient_scope")));
}

TEST_F(AcrExchangeTest, ARoleThatIsGivenLaterIsSeenAfterSomeMinutes) {
  fake_.change([](auto& behaviour) { behaviour.entra_actions = {"pull"}; });
  const auto remove = [&] {
    return get("a", "DELETE", "manifests/sha256:" + std::string(64, '0'));
  };
  EXPECT_EQ(status(), 200);
  EXPECT_THAT(remove(), HasCode(Errc::denied));
  EXPECT_EQ(exchanges(), 1) << "it was made a moment ago";
  clock_.advance(minutes(6));
  EXPECT_THAT(remove(), HasCode(Errc::denied));
  EXPECT_THAT(remove(), HasCode(Errc::denied));
  EXPECT_EQ(exchanges(), 2);
  fake_.change([](auto& behaviour) { behaviour.entra_actions.insert("delete"); });
  clock_.advance(minutes(6));
  EXPECT_EQ(remove()->status, 404) << "it may, and there is none";
  EXPECT_EQ(exchanges(), 3);
}

TEST_F(AcrExchangeTest, ARefusalDoesNotCostTheTokenThatIsThere) {
  bool there = true;
  identity_ = std::make_shared<FixedCredential>([&]() -> Result<AccessToken> {
    if (!there) return Error(Errc::not_found, "logged out meanwhile");
    return AccessToken{
        .token = Secret(entra_), .expires_on = Clock::SystemTime::max(), .refresh_on = {}};
  });
  start();
  fake_.change([](auto& behaviour) { behaviour.entra_actions = {"pull"}; });
  EXPECT_EQ(status(), 200);
  there = false;
  clock_.advance(minutes(6));
  const auto refused = get("a", "DELETE", "manifests/sha256:" + std::string(64, '0'));
  ASSERT_THAT(refused, HasCode(Errc::denied));
  EXPECT_THAT(refused.error().message(), HasSubstr("does not give it"));
  EXPECT_EQ(get("b")->status, 404) << "another scope, by the refresh token that is still there";
}

TEST_F(AcrExchangeTest, ARegistryWithRightsByRepositoryDropsWildcards) {
  fake_.change([](auto& behaviour) { behaviour.abac = true; });
  http::Request request;
  request.url = options_.registry.with_path("/acr/v1/_catalog");
  fake_.fault({.target = "/acr/v1/_catalog", .times = 0},
              test::fault::status(
                  401, "",
                  {{"WWW-Authenticate", "Bearer realm=\"" + fake_.origin() +
                                            "/oauth2/token\",service=\"" + fake_.host() +
                                            "\",scope=\"repository:*:*\",error=\"insufficient_"
                                            "scope\""}}));
  const auto refused =
      session_->send(std::move(request), Scopes::parse("repository:*:*"), "", context_);
  ASSERT_THAT(refused, HasCode(Errc::denied));
  EXPECT_EQ(
      refused.error().message(),
      fake_.host() +
          " knows the Entra ID identity (of FixedCredential) and does not give it "
          "repository:*:*: it needs a role there that has it (AcrPull, AcrPush, AcrDelete), or "
          "there is no such repository; this registry gives rights by repository (ABAC), by "
          "the Container Registry Repository roles, and drops wildcards: name each one; the "
          "registry says insufficient_scope; tried: command line (anonymous)");
}

// S446
TEST_F(AcrExchangeTest, MessagesNameTheOneOfAChainThatGaveTheToken) {
  std::string token = entra_;
  identity_ = std::make_shared<FixedCredential>([&]() -> Result<AccessToken> {
    return AccessToken{.token = Secret(token),
                       .expires_on = Clock::SystemTime::max(),
                       .refresh_on = {},
                       .given_by = "AzureCliCredential"};
  });
  fake_.change([](auto& behaviour) { behaviour.entra_actions = {"pull"}; });
  start();
  const auto lacking = get("a", "DELETE", "manifests/sha256:" + std::string(64, '0'));
  ASSERT_THAT(lacking, HasCode(Errc::denied));
  EXPECT_THAT(lacking.error().message(),
              AllOf(HasSubstr("(of AzureCliCredential)"), Not(HasSubstr("FixedCredential"))));
  token = test::unsigned_jwt({{"tid", "fabrikam"}});
  start();
  const auto unknown = get();
  ASSERT_THAT(unknown, HasCode(Errc::unauthenticated));
  EXPECT_THAT(unknown.error().message(),
              HasSubstr("did not take the Entra ID token of AzureCliCredential (HTTP 401"));
}

TEST(JwtTest, ReadsWhatItNeeds) {
  const auto claims = read_jwt(test::unsigned_jwt(
      {{"exp", 1'790'000'000}, {"iat", 1'789'000'000.5}, {"tid", "t"}, {"aad_identity", "x"}}));
  ASSERT_THAT(claims, IsOk());
  EXPECT_EQ(claims->expires, 1'790'000'000);
  EXPECT_EQ(claims->issued, 1'789'000'000);
  EXPECT_EQ(claims->tenant, "t");
  EXPECT_TRUE(claims->by_repository);
  EXPECT_FALSE(read_jwt(test::unsigned_jwt({{"exp", "soon"}}))->expires);
}

TEST(JwtTest, RefusesWhatIsNone) {
  for (const std::string& text :
       {std::string(), std::string("a.b"), std::string("a.b.c.d"), std::string("a.!.c"),
        "a." + test::base64url("[]") + ".c", "a." + test::base64url("{\"exp\":1,\"exp\":2}") + ".c",
        "a." + test::base64url("{") + ".c"}) {
    EXPECT_THAT(read_jwt(text), HasCode(Errc::corrupt)) << text;
  }
}

}  // namespace
}  // namespace berth::auth
