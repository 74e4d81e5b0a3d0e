// SPDX-License-Identifier: Apache-2.0
#include "auth/token_fetch.hpp"

#include "support/fake_clock.hpp"
#include "support/matchers.hpp"
#include "unit/auth/scripted_transport.hpp"

namespace berth::auth {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ParseTokenTest : public ::testing::Test {
 protected:
  test::FakeClock clock;
  Result<Token> parse(std::string_view body) { return parse_token(body, clock.now()); }
  seconds life(std::string_view body) {
    return std::chrono::duration_cast<seconds>(parse(body).value().expires - clock.now());
  }
};

TEST_F(ParseTokenTest, TakesEitherName) {
  EXPECT_EQ(parse(R"({"token":"a"})")->value.reveal(), "a");
  EXPECT_EQ(parse(R"({"access_token":"b"})")->value.reveal(), "b");
  EXPECT_EQ(parse(R"({"token":"","access_token":"b"})")->value.reveal(), "b");
}

TEST_F(ParseTokenTest, LivesAsLongAsItSays) {
  EXPECT_EQ(life(R"({"token":"a"})"), seconds(60));
  EXPECT_EQ(life(R"({"token":"a","expires_in":300})"), seconds(300));
  EXPECT_EQ(life(R"({"token":"a","expires_in":5})"), seconds(60)) << "none lives less";
  EXPECT_EQ(life(R"({"token":"a","expires_in":0})"), seconds(60));
  EXPECT_EQ(life(R"({"token":"a","expires_in":-7})"), seconds(60));
  EXPECT_EQ(life(R"({"token":"a","expires_in":"300"})"), seconds(60));
  EXPECT_EQ(life(R"({"token":"a","expires_in":9223372036854775807})"), hours(24));
}

TEST_F(ParseTokenTest, IsRefreshedBeforeItExpires) {
  const auto margin = [&](std::string_view body) {
    const Token token = parse(body).value();
    return std::chrono::duration_cast<seconds>(token.expires - token.refresh_at);
  };
  EXPECT_EQ(margin(R"({"token":"a","expires_in":60})"), seconds(6));
  EXPECT_EQ(margin(R"({"token":"a","expires_in":300})"), seconds(30));
  EXPECT_EQ(margin(R"({"token":"a","expires_in":10800})"), seconds(30));
}

TEST_F(ParseTokenTest, CountsTheTimeThatATokenHasLived) {
  // The clock stands at 2026-01-01 00:00:00.
  EXPECT_EQ(life(R"({"token":"a","expires_in":300,"issued_at":"2025-12-31T23:58:20Z"})"),
            seconds(200));
  EXPECT_EQ(life(R"({"token":"a","expires_in":300,"issued_at":"2026-01-01T09:00:00Z"})"),
            seconds(300));
  EXPECT_EQ(life(R"({"token":"a","expires_in":300,"issued_at":"2020-01-01T00:00:00Z"})"),
            seconds(300));
  EXPECT_EQ(life(R"({"token":"a","expires_in":300,"issued_at":"yesterday"})"), seconds(300));
  EXPECT_EQ(life(R"({"token":"a","expires_in":300,"issued_at":17})"), seconds(300));
}

TEST_F(ParseTokenTest, RefusesWhatIsNoToken) {
  for (const char* body :
       {"", "<html>", "[]", "{}", R"({"token":""})", R"({"token":7})", R"({"token":"a b"})",
        R"({"token":"a\r\nX-Evil: 1"})", R"({"token":"a","token":"b"})"}) {
    EXPECT_THAT(parse(body), test::HasCode(Errc::corrupt)) << body;
  }
}

class FetchTokenTest : public ::testing::Test {
 protected:
  Result<Token> fetch(ScriptedTransport::Script script, std::string_view realm) {
    transport = std::make_unique<ScriptedTransport>(std::move(script));
    http::Client client(*transport, {.retry = {.attempts = 1}, .clock = &clock});
    const TokenServer server{.realm = url(realm), .service = "the service", .registry_peer = {}};
    return fetch_token(client,
                       {.registry = options,
                        .server = server,
                        .credential = credential,
                        .scopes = {"repository:a:pull", "repository:b:pull"}},
                       Context());
  }
  static Result<http::Response> give_token(const Seen&) {
    return answer(200, R"({"token":"T","expires_in":300})");
  }
  void use_password() {
    credential.username = "alice";
    credential.password = Secret("wonder");
    credential.source = "a file";
  }

  test::FakeClock clock;
  SessionOptions options{.registry = url("https://r.example"), .name = "r.example"};
  credential::Credential credential;
  std::unique_ptr<ScriptedTransport> transport;
};

TEST_F(FetchTokenTest, AsksAnonymouslyByGet) {
  const auto token = fetch(give_token, "https://r.example/token");
  ASSERT_THAT(token, test::IsOk());
  EXPECT_EQ(token->value.reveal(), "T");
  EXPECT_THAT(transport->lines(),
              ElementsAre("GET https://r.example/token?service=the%20service&"
                          "scope=repository%3Aa%3Apull&scope=repository%3Ab%3Apull"));
  EXPECT_EQ(transport->seen()[0].authorization, "");
}

TEST_F(FetchTokenTest, ShowsUserAndPasswordByBasic) {
  use_password();
  ASSERT_THAT(fetch(give_token, "https://r.example/jwt/auth?kind=a"), test::IsOk());
  EXPECT_THAT(transport->lines(), ElementsAre(HasSubstr("/jwt/auth?kind=a&service=")));
  EXPECT_EQ(transport->seen()[0].authorization, "Basic YWxpY2U6d29uZGVy");
}

TEST_F(FetchTokenTest, PostsAnIdentityToken) {
  credential.identity_token = Secret("RE/FRESH");
  ASSERT_THAT(fetch(give_token, "https://r.example/token"), test::IsOk());
  EXPECT_THAT(transport->lines(), ElementsAre("POST https://r.example/token"));
  const Seen seen = transport->seen()[0];
  EXPECT_EQ(seen.body,
            "grant_type=refresh_token&service=the%20service&client_id=berth&"
            "scope=repository%3Aa%3Apull%20repository%3Ab%3Apull&refresh_token=RE%2FFRESH");
  EXPECT_EQ(seen.authorization, "");
  EXPECT_EQ(*seen.request.headers.find("Content-Type"), "application/x-www-form-urlencoded");
}

TEST_F(FetchTokenTest, FallsBackToGetWhereThereIsNoPost) {
  use_password();
  credential.identity_token = Secret("REFRESH");
  for (const int status : {400, 401, 404, 405}) {
    const auto script = [&](const Seen& seen) -> Result<http::Response> {
      return seen.method == "POST" ? Result<http::Response>(answer(status)) : give_token(seen);
    };
    EXPECT_THAT(fetch(script, "https://r.example/token"), test::IsOk()) << status;
    ASSERT_EQ(transport->seen().size(), 2U) << status;
    EXPECT_EQ(transport->seen()[1].authorization, "Basic YWxpY2U6d29uZGVy");
  }
  const auto forbidden = [](const Seen&) -> Result<http::Response> { return answer(403); };
  EXPECT_THAT(fetch(forbidden, "https://r.example/token"), test::HasCode(Errc::denied));
  EXPECT_EQ(transport->seen().size(), 1U);
}

TEST_F(FetchTokenTest, DoesNotFallBackWithoutAPassword) {
  credential.username = "00000000-0000-0000-0000-000000000000";
  credential.identity_token = Secret("REFRESH");
  const auto script = [](const Seen&) -> Result<http::Response> { return answer(401); };
  EXPECT_THAT(fetch(script, "https://r.example/token"), test::HasCode(Errc::unauthenticated));
  EXPECT_EQ(transport->seen().size(), 1U);
}

TEST_F(FetchTokenTest, NeverSendsASecretToAForeignRealm) {
  use_password();
  const auto password = fetch(give_token, "https://tokens.evil.test/token");
  EXPECT_THAT(password, test::HasCode(Errc::untrusted));
  EXPECT_THAT(password.error().message(), HasSubstr("https://tokens.evil.test"));
  EXPECT_THAT(password.error().message(), Not(HasSubstr("wonder")));
  EXPECT_THAT(transport->seen(), IsEmpty());
  credential = {};
  credential.identity_token = Secret("REFRESH");
  EXPECT_THAT(fetch(give_token, "https://tokens.evil.test/token"), test::HasCode(Errc::untrusted));
  EXPECT_THAT(transport->seen(), IsEmpty());
  credential = {};
  EXPECT_THAT(fetch(give_token, "https://tokens.evil.test/token"), test::IsOk());
}

TEST_F(FetchTokenTest, RefusesRealmsThatLeadInwardsOrDownwards) {
  for (const char* realm :
       {"http://r.example/token", "https://127.0.0.1/token", "https://localhost/token",
        "https://10.0.0.1/token", "https://169.254.169.254/token", "https://[::1]/token",
        "https://192.168.1.1/token"}) {
    EXPECT_THAT(fetch(give_token, realm), test::HasCode(Errc::untrusted)) << realm;
    EXPECT_THAT(transport->seen(), IsEmpty()) << realm;
  }
}

TEST_F(FetchTokenTest, TheRealmsAddressIsCheckedWhenItIsResolved) {
  ASSERT_THAT(fetch(give_token, "https://auth.r.example/token"), test::IsOk());
  const http::AddressClasses forbidden = transport->seen()[0].request.forbidden_addresses;
  EXPECT_TRUE(forbidden == http::url_policy::forbidden_for_realm(std::nullopt));
}

TEST_F(FetchTokenTest, PlainHttpWasMeantForTheNamedHostOnly) {
  options = {.registry = url("http://r.example:5000"),
             .name = "r.example:5000",
             .plain_http_allowed = true};
  use_password();
  EXPECT_THAT(fetch(give_token, "http://r.example:5001/token"), test::IsOk());
  EXPECT_THAT(fetch(give_token, "http://auth.r.example/token"), test::HasCode(Errc::untrusted));
  options.plain_http_allowed = false;
  EXPECT_THAT(fetch(give_token, "http://r.example:5001/token"), test::HasCode(Errc::untrusted));
}

TEST_F(FetchTokenTest, AnAnonymousTokenCrossesNoUnnamedHostInClearEither) {
  options = {.registry = url("http://r.example:5000"),
             .name = "r.example:5000",
             .plain_http_allowed = true};
  ASSERT_THAT(fetch(give_token, "http://r.example:5001/token"), test::IsOk());
  EXPECT_TRUE(transport->seen()[0].request.allow_plain_http);
  (void)fetch(give_token, "http://auth.other.example/token");
  EXPECT_FALSE(transport->seen()[0].request.allow_plain_http) << "the transport refuses it then";
}

TEST_F(FetchTokenTest, ConnectionOptionsOfTheRegistryAreForItsOrigin) {
  http::ConnectionOptions own;
  own.ca_file = "/ca.pem";
  own.client_cert_file = "/me.pem";
  own.insecure_skip_verify = true;
  options.connection = std::make_shared<const http::ConnectionOptions>(own);
  ASSERT_THAT(fetch(give_token, "https://r.example/token"), test::IsOk());
  EXPECT_EQ(*transport->seen()[0].request.connection, own);
  http::ConnectionOptions foreign;
  foreign.ca_file = "/ca.pem";
  for (const char* realm : {"https://r.example:5001/token", "https://auth.r.example/token"}) {
    ASSERT_THAT(fetch(give_token, realm), test::IsOk());
    EXPECT_EQ(*transport->seen()[0].request.connection, foreign) << realm;
  }
}

TEST_F(FetchTokenTest, AnEndlessAnswerIsCutOff) {
  const auto script = [](const Seen&) -> Result<http::Response> {
    return answer(200, "{\"token\":\"" + std::string(200'000, 'a') + "\"}");
  };
  EXPECT_THAT(fetch(script, "https://r.example/token"), test::HasCode(Errc::too_large));
}

TEST_F(FetchTokenTest, ATokenServerThatIsNotThereSaysNothingAboutWhatWasAskedFor) {
  for (const int status : {404, 410}) {
    const auto script = [&](const Seen&) -> Result<http::Response> { return answer(status); };
    const auto token = fetch(script, "https://auth.r.example/token");
    EXPECT_THAT(token, test::HasCode(Errc::denied)) << status;
    EXPECT_THAT(token.error().message(), HasSubstr("https://auth.r.example/token"));
    ASSERT_NE(token.error().http(), nullptr);
    EXPECT_EQ(token.error().http()->status, status);
  }
}

TEST_F(FetchTokenTest, AnIdentityTokenThatExpiredIsARefusedLogin) {
  credential.identity_token = Secret("REFRESH");
  const auto script = [](const Seen&) -> Result<http::Response> {
    return answer(400, R"({"error":"invalid_grant","error_description":"expired"})");
  };
  const auto token = fetch(script, "https://r.example/token");
  EXPECT_THAT(token, test::HasCode(Errc::unauthenticated));
}

TEST_F(FetchTokenTest, FailuresNameTheTokenServer) {
  const auto script = [](const Seen&) -> Result<http::Response> { return answer(500, "oops"); };
  const auto token = fetch(script, "https://auth.r.example/token");
  EXPECT_THAT(token, test::HasCode(Errc::unavailable));
  EXPECT_THAT(token.error().message(),
              HasSubstr("token for r.example from https://auth.r.example/token"));
}

}  // namespace
}  // namespace berth::auth
