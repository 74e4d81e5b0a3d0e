// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/client_credentials.hpp"

#include <map>

#include "berth/auth/cloud.hpp"
#include "berth/base/fd.hpp"
#include "berth/base/text.hpp"
#include "berth/crypto/certificate.hpp"

#include "auth/authority.hpp"
#include "auth/token_answer.hpp"
#include "support/app_certificate.hpp"
#include "support/jwt.hpp"
#include "unit/auth/identity_fixture.hpp"

namespace berth::auth {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using test::HasCode;
using test::IsOk;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ClientCredentialsTest : public IdentityTest {
 protected:
  ClientCredentialsTest() {
    authority_.add_secret("app", "s3cret & more");
    application_ = {.tenant_id = "contoso", .client_id = "app"};
  }
  ClientSecretCredential secret(const std::string& value = "s3cret & more") {
    return {application_, Secret(value), options_};
  }
  ClientCertificateCredential certificate(ClientCertificate given) {
    return {application_, std::move(given), options_};
  }
  Application application_;
};

TEST_F(ClientCredentialsTest, ASecretBecomesAToken) {
  auto credential = secret();
  const auto token = ask(credential);
  ASSERT_THAT(token, IsOk());
  EXPECT_TRUE(authority_.tokens().contains(token->token.reveal()));
  EXPECT_EQ(token->expires_on, clock_.now() + seconds(3599));
  const auto log = authority_.server().log();
  ASSERT_EQ(log.size(), 1U) << "nothing is asked before";
  EXPECT_EQ(log[0].target, "/contoso/oauth2/v2.0/token");
  test::HttpRequest form;
  form.target = "?" + log[0].body;
  EXPECT_EQ(form.query("scope"), "https://containerregistry.azure.net/.default");
  EXPECT_EQ(form.query("client_secret"), "s3cret & more");
}

TEST_F(ClientCredentialsTest, ATokenIsKeptUntilFiveMinutesBeforeItsEnd) {
  auto credential = secret();
  const auto first = ask(credential)->token;
  clock_.advance(minutes(54));
  EXPECT_EQ(ask(credential)->token, first);
  clock_.advance(minutes(1));
  EXPECT_NE(ask(credential)->token, first);
  EXPECT_EQ(authority_.server().requests(), 2);
  // One for the time being is better than none.
  clock_.advance(minutes(56));
  for (int i = 0; i < 4; ++i) authority_.answer_next({.status = 503});
  EXPECT_THAT(ask(credential), IsOk());
  clock_.advance(minutes(5));
  for (int i = 0; i < 4; ++i) authority_.answer_next({.status = 503});
  EXPECT_THAT(ask(credential), HasCode(Errc::unavailable));
}

TEST_F(ClientCredentialsTest, RefreshInIsHonoured) {
  authority_.set_lifetime(24 * 3600, 12 * 3600);
  auto credential = secret();
  const auto first = ask(credential)->token;
  clock_.advance(std::chrono::hours(11));
  EXPECT_EQ(ask(credential)->token, first);
  clock_.advance(std::chrono::hours(2));
  EXPECT_NE(ask(credential)->token, first);
}

TEST_F(ClientCredentialsTest, AWrongSecretIsNamedAndNotShown) {
  auto credential = secret("wr0ng");
  const auto refused = ask(credential);
  ASSERT_THAT(refused, HasCode(Errc::unauthenticated));
  EXPECT_THAT(message(refused),
              AllOf(HasSubstr("ClientSecretCredential: Microsoft Entra ID at " +
                              authority_.origin() + ", tenant contoso, client app, refused it"),
                    HasSubstr("AADSTS7000215"), HasSubstr("takes its value, not its id"),
                    HasSubstr("correlation id 0002"), Not(HasSubstr("wr0ng"))));
  EXPECT_EQ(refused.error().http()->registry_code, "AADSTS7000215");
}

TEST_F(ClientCredentialsTest, AnExpiredSecretIsNamed) {
  authority_.add_secret("app", "s3cret & more", /*expired=*/true);
  auto credential = secret();
  EXPECT_THAT(message(ask(credential)),
              AllOf(HasSubstr("AADSTS7000222"), HasSubstr("has expired: make a new one")));
}

TEST_F(ClientCredentialsTest, AWrongTenantIsNamed) {
  application_.tenant_id = "fabrikam";
  auto credential = secret();
  const auto refused = ask(credential);
  ASSERT_THAT(refused, HasCode(Errc::unauthenticated));
  EXPECT_THAT(message(refused),
              AllOf(HasSubstr("Tenant 'fabrikam' not found"), HasSubstr("check AZURE_TENANT_ID")));
}

TEST_F(ClientCredentialsTest, AnUnknownApplicationIsNamed) {
  application_.client_id = "nobody";
  auto credential = secret();
  EXPECT_THAT(message(ask(credential)),
              AllOf(HasSubstr("AADSTS700016"), HasSubstr("no such application in this tenant")));
}

TEST_F(ClientCredentialsTest, EveryRefusalSaysWhatToDo) {
  const std::map<std::string, std::string> remedies = {
      {"AADSTS7000215",
       "the client secret is wrong: AZURE_CLIENT_SECRET takes its value, not its id"},
      {"AADSTS7000222",
       "the client secret has expired: make a new one for the application, and set "
       "AZURE_CLIENT_SECRET to it"},
      {"AADSTS700016",
       "there is no such application in this tenant: check AZURE_CLIENT_ID and AZURE_TENANT_ID"},
      {"AADSTS90002",
       "there is no such tenant: check AZURE_TENANT_ID, and AZURE_AUTHORITY_HOST where the tenant "
       "is of a national cloud"},
      {"AADSTS900023", "that is no tenant: check AZURE_TENANT_ID"},
      {"AADSTS900382", "the authority is of another cloud: check AZURE_AUTHORITY_HOST"},
      {"AADSTS700027",
       "the certificate is not one of the application's, or has expired: upload it there, or check "
       "AZURE_CLIENT_CERTIFICATE_PATH"},
      {"AADSTS700024",
       "the clock of this machine is off, or the token that vouches has expired: set the clock "
       "right"},
      {"AADSTS700021", "the assertion is not one for this application: check AZURE_CLIENT_ID"},
      {"AADSTS70021",
       "no federated credential of the application fits this token: its issuer, subject and "
       "audience must be those of the service account"},
      {"AADSTS700211", "no federated credential of the application has this issuer"},
      {"AADSTS700212", "no federated credential of the application has this audience"},
      {"AADSTS700213", "no federated credential of the application has this subject"},
      {"AADSTS65001",
       "nobody has consented to this application: an administrator of the tenant must"},
      {"AADSTS500011",
       "the tenant knows no such audience: check the audience, and AZURE_TENANT_ID"},
      {"AADSTS650057", "the application has no permission for this audience"},
      {"AADSTS7000112", "the application is disabled"},
      {"AADSTS7000229",
       "the application has no service principal in this tenant: an administrator must add it"},
      {"AADSTS53003", "a conditional access policy of the tenant forbids it from here"},
      {"AADSTS50076", "the tenant asks for a second factor: log in by `az login`"},
  };
  for (const std::string_view known : known_refusals()) {
    const std::string code(known);
    ASSERT_TRUE(remedies.contains(code)) << code;
    const std::string own = code + ": The service's own words.";
    authority_.answer_next(test::FakeAuthority::refusal(400, "invalid_grant", own));
    auto credential = secret();
    const auto refused = ask(credential);
    ASSERT_THAT(refused, HasCode(Errc::unauthenticated)) << code;
    EXPECT_EQ(message(refused), "ClientSecretCredential: Microsoft Entra ID at " +
                                    authority_.origin() +
                                    ", tenant contoso, client app, refused it (HTTP 400 "
                                    "invalid_grant: " +
                                    own +
                                    " Trace ID: 0001 Correlation ID: 0002; correlation id "
                                    "0002): " +
                                    remedies.at(code));
  }
  EXPECT_EQ(known_refusals().size(), remedies.size());
  EXPECT_EQ(remedy_for("AADSTS1"), "");
}

TEST_F(ClientCredentialsTest, AnAuthorityThatFailsIsAskedAgain) {
  authority_.answer_next({.status = 500});
  authority_.answer_next({.status = 429, .headers = {{"Retry-After", "7"}}});
  auto credential = secret();
  EXPECT_THAT(ask(credential), IsOk());
  EXPECT_EQ(authority_.server().requests(), 3);
  EXPECT_EQ(clock_.sleeps().back(), seconds(7));
}

TEST_F(ClientCredentialsTest, AnAuthorityThatIsNotThere) {
  authority_.server().stop();
  auto credential = secret();
  const auto refused = ask(credential);
  ASSERT_THAT(refused, HasCode(Errc::unavailable));
  EXPECT_THAT(message(refused), HasSubstr("ClientSecretCredential: asking Microsoft Entra ID"));
}

TEST_F(ClientCredentialsTest, WhatIsNoTenantIsRefusedBeforeAsking) {
  for (const char* tenant : {"a/b", "contoso\n", "x?y", "..%2f"}) {
    application_.tenant_id = tenant;
    auto credential = secret();
    const auto refused = ask(credential);
    ASSERT_THAT(refused, HasCode(Errc::invalid_argument)) << tenant;
    EXPECT_THAT(message(refused), HasSubstr("is no tenant"));
  }
  application_.tenant_id = "";
  auto credential = secret();
  EXPECT_THAT(ask(credential), HasCode(Errc::invalid_argument));
  EXPECT_EQ(authority_.server().requests(), 0);
}

TEST_F(ClientCredentialsTest, AnotherTenantOnlyWhereItIsAllowed) {
  auto credential = secret();
  const auto refused = ask(credential, "fabrikam");
  ASSERT_THAT(refused, HasCode(Errc::invalid_argument));
  EXPECT_THAT(message(refused), HasSubstr("AZURE_ADDITIONALLY_ALLOWED_TENANTS"));
  EXPECT_THAT(ask(credential, "CONTOSO"), HasCode(Errc::unauthenticated)) << "asked, as it is own";
  options_.additionally_allowed_tenants = {"*"};
  auto allowed = secret();
  EXPECT_THAT(message(ask(allowed, "fabrikam")), HasSubstr("Tenant 'fabrikam' not found"));
}

TEST_F(ClientCredentialsTest, TheAuthorityMustBeHttps) {
  for (const char* host : {"http://login.example", "ftp://login.example", "https://"}) {
    options_.authority_host = host;
    auto credential = secret();
    EXPECT_THAT(ask(credential), HasCode(Errc::invalid_argument)) << host;
  }
  options_.authority_host = "";
  EXPECT_THAT(authority_host(options_), test::IsOkAndHolds(authority_.origin()));
  variables_.erase("AZURE_AUTHORITY_HOST");
  EXPECT_THAT(authority_host(options_),
              test::IsOkAndHolds(std::string("https://login.microsoftonline.com")));
  variables_["AZURE_AUTHORITY_HOST"] = "login.chinacloudapi.cn";
  EXPECT_THAT(authority_host(options_),
              test::IsOkAndHolds(std::string("https://login.chinacloudapi.cn")));
}

TEST_F(ClientCredentialsTest, ACertificateSigns) {
  const test::AppCertificate app;
  authority_.remove("app");
  authority_.add_certificate("app", app.certificate_only());
  for (const auto& [path, password] :
       {std::pair{app.pem(), ""}, std::pair{app.encrypted_pem(), "open sesame"},
        std::pair{app.pkcs12(), "open sesame"}}) {
    auto credential = certificate({.path = path, .password = Secret(password)});
    EXPECT_THAT(ask(credential), IsOk()) << path;
  }
  const auto log = authority_.server().log();
  const auto header = assertion_header(log[0]);
  EXPECT_EQ(header["alg"], "PS256");
  EXPECT_FALSE(header.contains("x5c"));
  EXPECT_FALSE(log[0].body.contains("client_secret"));
}

TEST_F(ClientCredentialsTest, AdFsIsSignedForAsItUnderstands) {
  const test::AppCertificate app;
  authority_.remove("app");
  authority_.add_certificate("app", app.certificate_only());
  ClientCertificateCredential credential({.tenant_id = "adfs", .client_id = "app"},
                                         {.path = app.pem()}, options_);
  ASSERT_THAT(ask(credential), IsOk());
  const auto log = authority_.server().log();
  EXPECT_EQ(log[0].target, "/adfs/oauth2/token");
  const auto header = assertion_header(log[0]);
  EXPECT_EQ(header["alg"], "RS256");
  EXPECT_FALSE(header.contains("x5t#S256"));
}

TEST_F(ClientCredentialsTest, TheChainOfACertificateIsSentWhenAsked) {
  const test::AppCertificate app;
  authority_.remove("app");
  authority_.add_certificate("app", app.certificate_only());
  for (const auto& [path, password] :
       {std::pair{app.pem(), ""}, std::pair{app.pkcs12(), "open sesame"}}) {
    authority_.server().clear_log();
    auto credential =
        certificate({.path = path, .password = Secret(password), .send_certificate_chain = true});
    ASSERT_THAT(ask(credential), IsOk());
    const auto header = assertion_header(authority_.server().log()[0]);
    ASSERT_EQ(header["x5c"].size(), 2U) << "its own and the CA's";
    // Its own comes first, whatever order the file has.
    const auto first = text::from_base64(header["x5c"][0].get<std::string>()).value();
    EXPECT_EQ(test::base64url(text::from_base64(header["x5t#S256"].get<std::string>()).value()),
              test::base64url(std::string(as_text(crypto::sha256(as_bytes(first))))));
  }
}

TEST_F(ClientCredentialsTest, AnExpiredCertificateIsNamedBeforeAsking) {
  const test::AppCertificate app({.not_before = 1'700'000'000, .not_after = 1'710'000'000});
  auto credential = certificate({.path = app.pem()});
  const auto refused = ask(credential);
  ASSERT_THAT(refused, HasCode(Errc::unauthenticated));
  EXPECT_THAT(message(refused), AllOf(HasSubstr(app.pem().native() + " expired at 2024-03-09T"),
                                      HasSubstr("renew it")));
  EXPECT_EQ(authority_.server().requests(), 0);
}

TEST_F(ClientCredentialsTest, AClockBeforeTheCertificateIsNamed) {
  const test::AppCertificate app({.not_before = 1'800'000'000});
  auto credential = certificate({.path = app.pem()});
  EXPECT_THAT(message(ask(credential)),
              HasSubstr("the clock of this machine says 2026-01-01T00:00:00Z: set it right"));
}

TEST_F(ClientCredentialsTest, AClockThatTheAuthorityDoesNotShareIsNamed) {
  const test::AppCertificate app;
  authority_.remove("app");
  authority_.add_certificate("app", app.pem());
  authority_.set_time(
      [this] { return std::int64_t{std::chrono::system_clock::to_time_t(clock_.now())} + 7200; });
  auto credential = certificate({.path = app.pem()});
  EXPECT_THAT(message(ask(credential)),
              AllOf(HasSubstr("AADSTS700024"), HasSubstr("set the clock right")));
}

TEST_F(ClientCredentialsTest, AFileThatIsNoCertificateIsNamed) {
  const test::AppCertificate app;
  const test::AppCertificate other;
  const auto text = [](const std::filesystem::path& path) {
    return read_file(path, 1 << 20).value();
  };
  const auto mixed =
      home_.write("mixed.pem", text(app.key_only()) + text(other.certificate_only()));
  const struct {
    std::filesystem::path path;
    const char* password;
    const char* said;
  } cases[] = {
      {home_ / "none.pem", "", "none.pem"},
      {home_.write("text.pem", "hello"), "", "neither PEM nor PKCS#12"},
      {app.key_only(), "", "holds no certificate"},
      {app.certificate_only(), "", "holds no private key"},
      {app.encrypted_pem(), "", "the password is wrong or missing"},
      {app.encrypted_pem(), "wrong", "the password is wrong or missing"},
      {app.pkcs12(), "wrong", "the password of this PKCS#12 file is wrong"},
      {mixed, "", "none of its certificates is that of its private key"},
  };
  for (const auto& c : cases) {
    auto credential = certificate({.path = c.path, .password = Secret(c.password)});
    const auto refused = ask(credential);
    ASSERT_THAT(refused, HasCode(Errc::unauthenticated)) << c.said;
    EXPECT_THAT(message(refused), AllOf(HasSubstr(c.said), HasSubstr(c.path.native())));
    EXPECT_TRUE(refused.error().is_local()) << "no registry and no authority said so";
  }
}

TEST_F(ClientCredentialsTest, AWorkloadsTokenIsReadAgainEachTime) {
  const auto file = home_.write("token", "first\n");
  set({{"AZURE_TENANT_ID", "contoso"},
       {"AZURE_CLIENT_ID", "pod"},
       {"AZURE_FEDERATED_TOKEN_FILE", file.native()}});
  authority_.add_federation("pod", "first");
  authority_.add_federation("pod", "second");
  WorkloadIdentityCredential credential({}, options_);
  EXPECT_THAT(ask(credential), IsOk());
  home_.write("token", "second");
  clock_.advance(minutes(58));
  EXPECT_THAT(ask(credential), IsOk());
  EXPECT_THAT(authority_.server().log().back().body, HasSubstr("client_assertion=second"));
  home_.write("token", "somebody else's");
  clock_.advance(minutes(58));
  EXPECT_THAT(message(ask(credential)),
              AllOf(HasSubstr("AADSTS70021"), HasSubstr("issuer, subject and audience")));
  home_.write("token", " \n");
  EXPECT_THAT(ask(credential), HasCode(Errc::unauthenticated));
  std::filesystem::remove(file);
  const auto refused = ask(credential);
  EXPECT_THAT(refused, HasCode(Errc::unauthenticated)) << "never the registry's 'not found'";
  EXPECT_THAT(message(refused), HasSubstr("AZURE_FEDERATED_TOKEN_FILE"));
}

TEST_F(ClientCredentialsTest, AWorkloadThatIsNoneSaysWhatIsMissing) {
  set({{"AZURE_CLIENT_ID", "pod"}});
  WorkloadIdentityCredential credential({}, options_);
  const auto none = ask(credential);
  ASSERT_THAT(none, HasCode(Errc::not_found));
  EXPECT_EQ(message(none),
            "WorkloadIdentityCredential: not set: AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE");
}

TEST_F(ClientCredentialsTest, AnAssertionOfOnesOwn) {
  authority_.add_federation("pod", "vouched");
  ClientAssertionCredential credential(
      {.tenant_id = "contoso", .client_id = "pod"},
      [](const Context&) -> Result<Secret> { return Secret("vouched"); }, "account", options_);
  EXPECT_THAT(ask(credential), IsOk());
}

TEST_F(ClientCredentialsTest, IdentitiesDifferWhereTheirTokensMay) {
  const auto one = secret("first-secret").identity_key();
  EXPECT_NE(one, secret("second-secret").identity_key());
  EXPECT_THAT(one, Not(HasSubstr("first-secret")));
  application_.client_id = "other";
  EXPECT_NE(one, secret("first-secret").identity_key());
  EXPECT_EQ(secret("a").identity_key(), secret("a").identity_key());
}

TEST(CloudTest, OfARegistry) {
  EXPECT_EQ(cloud_of_registry("myregistry.azurecr.io")->name, "public");
  EXPECT_EQ(cloud_of_registry("MyRegistry.AzureCR.us:443")->name, "government");
  EXPECT_EQ(cloud_of_registry("r.azurecr.cn")->authority_host, "https://login.chinacloudapi.cn");
  EXPECT_EQ(cloud_of_registry("r.westeurope.data.azurecr.de")->name, "germany");
  for (const char* host : {"azurecr.io", ".azurecr.io", "notazurecr.io", "r.azurecr.io.example",
                           "mcr.microsoft.com", "localhost:5000", ""}) {
    EXPECT_EQ(cloud_of_registry(host), nullptr) << host;
  }
}

TEST(TokenAnswerTest, ReadsEveryFormOfItsEnd) {
  const Clock::SystemTime now = std::chrono::system_clock::from_time_t(1'767'225'600);
  const auto life = [&](const std::string& rest) -> std::int64_t {
    const auto token = parse_token_answer(R"({"access_token":"t",)" + rest + "}", now);
    return token ? std::chrono::duration_cast<seconds>(token->expires_on - now).count() : -1;
  };
  EXPECT_EQ(life(R"("expires_in":3599)"), 3599);
  EXPECT_EQ(life(R"("expires_in":"3599")"), 3599);
  EXPECT_EQ(life(R"("expires_on":1767229200)"), 3600);
  EXPECT_EQ(life(R"("expires_on":"1767229200","expires_in":"5")"), 3600);
  EXPECT_EQ(life(R"("expires_on":"2026-01-01T02:00:00+01:00")"), 3600);
  EXPECT_EQ(life(R"("expires_on":"01/01/2026 01:00:00 +00:00")"), 3600);
  EXPECT_EQ(life(R"("expires_on":"1/1/2026 1:00:00 PM +00:00")"), 13 * 3600);
  EXPECT_EQ(life(R"("expires_on":"1/1/2026 12:30:00 AM +00:00")"), 1800);
  for (const char* wrong :
       {R"("x":1)", R"("expires_on":"soon")", R"("expires_in":-5)",
        R"("expires_on":99999999999999)", R"("expires_on":"13/40/2026 1:1:1 +00:00")"}) {
    EXPECT_EQ(life(wrong), -1) << wrong;
  }
  EXPECT_THAT(parse_token_answer("<html>", now), HasCode(Errc::corrupt));
  EXPECT_THAT(parse_token_answer(R"({"access_token":"a b","expires_in":1})", now),
              HasCode(Errc::corrupt));
}

TEST(TokenAnswerTest, ALongLifeIsRenewedAtItsHalf) {
  const Clock::SystemTime now = std::chrono::system_clock::from_time_t(1'767'225'600);
  const auto refresh = [&](const std::string& rest) {
    return parse_token_answer(R"({"access_token":"t",)" + rest + "}", now)->refresh_on;
  };
  EXPECT_EQ(refresh(R"("expires_in":3600)"), std::nullopt);
  EXPECT_EQ(refresh(R"("expires_in":86400)"), now + seconds(43'200));
  EXPECT_EQ(refresh(R"("expires_in":86400,"refresh_in":3600)"), now + seconds(3600));
  EXPECT_EQ(refresh(R"("expires_in":3600,"refresh_in":7200)"), std::nullopt);
}

}  // namespace
}  // namespace berth::auth
