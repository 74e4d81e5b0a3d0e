// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/managed_identity.hpp"

#include <sys/stat.h>

#include "berth/auth/identity_chain.hpp"

#include "auth/arc_challenge.hpp"
#include "support/fake_identity_host.hpp"
#include "unit/auth/identity_fixture.hpp"
#include "unit/auth/scripted_transport.hpp"

namespace berth::auth {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakeIdentityHost;
using test::HasCode;
using test::IsOk;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = FakeIdentityHost::Kind;

class ManagedIdentityTest : public IdentityTest {
 protected:
  ManagedIdentityTest() { identity_.arc_agent = home_ / "no agent here"; }

  Result<AccessToken> ask_at(FakeIdentityHost& host) {
    for (const char* name :
         {"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET", "IMDS_ENDPOINT",
          "AZURE_POD_IDENTITY_AUTHORITY_HOST", "IDENTITY_SERVER_THUMBPRINT"}) {
      variables_.erase(name);
    }
    set(host.environment());
    identity_.arc_keys = host.keys();
    ManagedIdentityCredential credential(identity_, options_);
    return ask(credential);
  }
  ManagedIdentity identity_;
};

TEST_F(ManagedIdentityTest, EveryHostOfAzureGivesAToken) {
  for (const Kind kind :
       {Kind::imds, Kind::app_service, Kind::machine_learning, Kind::cloud_shell, Kind::arc}) {
    FakeIdentityHost host(kind);
    const auto token = ask_at(host);
    ASSERT_THAT(token, IsOk()) << static_cast<int>(kind);
    EXPECT_EQ(token->token.reveal(), FakeIdentityHost::kToken);
    EXPECT_EQ(token->expires_on, clock_.now() + std::chrono::hours(24));
    EXPECT_EQ(token->refresh_on, clock_.now() + std::chrono::hours(12));
  }
}

// S370
TEST_F(ManagedIdentityTest, OnAClusterThatVouchesForAPodItsTokenIsExchanged) {
  FakeIdentityHost host(Kind::imds);
  set({{"AZURE_TENANT_ID", "contoso"},
       {"AZURE_CLIENT_ID", "pod"},
       {"AZURE_FEDERATED_TOKEN_FILE", home_.write("token", "cluster").native()}});
  authority_.add_federation("pod", "cluster");
  EXPECT_THAT(ask_at(host), IsOk());
  EXPECT_EQ(host.server().requests(), 0);
  authority_.remove("pod");
  const auto refused = ask_at(host);
  EXPECT_THAT(refused, HasCode(Errc::unauthenticated)) << "a wrong one is no reason for another";
  EXPECT_THAT(message(refused),
              AllOf(HasSubstr("ManagedIdentityCredential: "), HasSubstr("AADSTS700016")));
  // Who names it by its object means the endpoint's.
  identity_.object_id = "object";
  EXPECT_THAT(ask_at(host), IsOk());
  EXPECT_EQ(host.server().requests(), 1);
}

// S370
TEST_F(ManagedIdentityTest, WhereItIsTheOnlyCredentialToo) {
  set({{"AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential"},
       {"AZURE_TENANT_ID", "contoso"},
       {"AZURE_CLIENT_ID", "pod"},
       {"AZURE_FEDERATED_TOKEN_FILE", home_.write("token", "cluster").native()}});
  authority_.add_federation("pod", "cluster");
  DefaultAzureCredential credential({.identity = options_});
  const auto token = ask(credential);
  ASSERT_THAT(token, IsOk());
  EXPECT_EQ(token->given_by, "ManagedIdentityCredential");
}

TEST_F(ManagedIdentityTest, TheChainNamesItByItsResourceToo) {
  FakeIdentityHost host(Kind::app_service);
  set(host.environment());
  set({{"AZURE_CLIENT_ID", "of something else"}});
  DefaultAzureCredential by_resource(
      {.identity = options_, .managed_identity_resource_id = "/subscriptions/s/id"});
  EXPECT_THAT(ask(by_resource), IsOk());
  const std::string target = host.server().log().back().target;
  EXPECT_THAT(target, HasSubstr("&mi_res_id=%2Fsubscriptions%2Fs%2Fid"));
  EXPECT_THAT(target, Not(HasSubstr("client_id")));
  DefaultAzureCredential both({.identity = options_,
                               .managed_identity_client_id = "a",
                               .managed_identity_resource_id = "/subscriptions/s/id"});
  EXPECT_THAT(ask(both), HasCode(Errc::invalid_argument));
}

TEST_F(ManagedIdentityTest, AnAssignedIdentityGoesByTheNamesOfEachHost) {
  identity_.client_id = "assigned";
  for (const Kind kind : {Kind::imds, Kind::app_service, Kind::machine_learning, Kind::arc}) {
    FakeIdentityHost host(kind);
    host.assign("assigned");
    EXPECT_THAT(ask_at(host), IsOk()) << static_cast<int>(kind);
    host.assign("another");
    const auto refused = ask_at(host);
    ASSERT_THAT(refused, HasCode(Errc::not_found));
    EXPECT_THAT(message(refused), HasSubstr("assigned to this machine?"));
  }
  identity_.client_id = "";
  identity_.resource_id = "/subscriptions/s/id";
  for (const Kind kind : {Kind::imds, Kind::app_service, Kind::arc}) {
    FakeIdentityHost host(kind);
    EXPECT_THAT(ask_at(host), IsOk()) << static_cast<int>(kind);
    EXPECT_THAT(host.server().log().back().target,
                HasSubstr(std::string(kind == Kind::app_service ? "&mi_res_id=" : "&msi_res_id=") +
                          "%2Fsubscriptions%2Fs%2Fid"));
  }
  identity_.resource_id = "";
  identity_.object_id = "object";
  FakeIdentityHost host(Kind::imds);
  EXPECT_THAT(ask_at(host), IsOk());
  EXPECT_THAT(host.server().log().back().target, HasSubstr("&object_id=object"));
}

TEST_F(ManagedIdentityTest, AChoiceThatAHostCannotMakeIsNamed) {
  identity_.client_id = "assigned";
  FakeIdentityHost shell(Kind::cloud_shell);
  EXPECT_THAT(message(ask_at(shell)), HasSubstr("Cloud Shell gives one identity only"));
  EXPECT_EQ(shell.server().requests(), 0);
  identity_.client_id = "";
  identity_.object_id = "object";
  FakeIdentityHost learning(Kind::machine_learning);
  EXPECT_THAT(message(ask_at(learning)), HasSubstr("by their client id only"));
  identity_.client_id = "both";
  EXPECT_THAT(ask_at(learning), HasCode(Errc::invalid_argument));
}

TEST_F(ManagedIdentityTest, AMachineWithoutAnIdentitySaysSo) {
  FakeIdentityHost host(Kind::imds);
  host.answer_next(
      {.status = 400,
       .body = R"({"error":"invalid_request","error_description":"Identity not found"})"});
  const auto none = ask_at(host);
  ASSERT_THAT(none, HasCode(Errc::not_found));
  EXPECT_EQ(message(none),
            "ManagedIdentityCredential: IMDS: HTTP 400 invalid_request: Identity not found; this "
            "machine has no identity, or several: name one by AZURE_CLIENT_ID");
}

TEST_F(ManagedIdentityTest, ImdsIsAskedAgainWhileItStartsOrIsBusy) {
  for (const int status : {404, 429, 500, 503}) {
    FakeIdentityHost host(Kind::imds);
    host.answer_next({.status = status}, 5);
    const auto before = clock_.sleeps().size();
    EXPECT_THAT(ask_at(host), IsOk()) << status;
    auto sleeps = clock_.sleeps();
    sleeps.erase(sleeps.begin(), sleeps.begin() + static_cast<std::ptrdiff_t>(before));
    EXPECT_THAT(sleeps, ElementsAre(milliseconds(800), milliseconds(1600), milliseconds(3200),
                                    milliseconds(6400), milliseconds(12'800)));
    host.answer_next({.status = status}, 6);
    EXPECT_THAT(ask_at(host), HasCode(Errc::not_found));
  }
}

TEST_F(ManagedIdentityTest, AnUpdateOfImdsIsWaitedFor) {
  FakeIdentityHost host(Kind::imds);
  host.answer_next({.status = 410}, 5);
  EXPECT_THAT(ask_at(host), IsOk());
  std::chrono::nanoseconds waited{0};
  for (const auto& one : clock_.sleeps()) waited += one;
  EXPECT_GE(waited, seconds(70));
}

TEST_F(ManagedIdentityTest, RetryAfterIsKept) {
  FakeIdentityHost host(Kind::app_service);
  host.answer_next({.status = 429, .headers = {{"Retry-After", "9"}}});
  EXPECT_THAT(ask_at(host), IsOk());
  EXPECT_THAT(clock_.sleeps(), ElementsAre(seconds(9)));
  // What is no matter of time is not asked again: App Service's 404 is no start.
  host.server().clear_log();
  host.answer_next({.status = 404});
  EXPECT_THAT(ask_at(host), HasCode(Errc::not_found));
  EXPECT_EQ(host.server().requests(), 1);
}

TEST_F(ManagedIdentityTest, TheProbeAsksWithoutTheHeaderAndOnce) {
  identity_.probe = true;
  FakeIdentityHost host(Kind::imds);
  EXPECT_THAT(ask_at(host), IsOk());
  const auto log = host.server().log();
  ASSERT_EQ(log.size(), 2U);
  EXPECT_EQ(log[0].target, "/metadata/identity/oauth2/token");
  EXPECT_FALSE(log[0].has_header("Metadata"));
  EXPECT_EQ(log[1].header("Metadata"), "true");
}

TEST_F(ManagedIdentityTest, NobodyThereIsKnownAfterASecond) {
  identity_.probe = true;
  FakeIdentityHost host(Kind::imds);
  const auto gate = std::make_shared<test::Gate>();
  host.answer_next({.before = gate});
  const auto begin = std::chrono::steady_clock::now();
  const auto none = ask_at(host);
  const auto took = std::chrono::steady_clock::now() - begin;
  gate->open();
  ASSERT_THAT(none, HasCode(Errc::not_found));
  EXPECT_THAT(message(none), HasSubstr("within a second: no machine of Azure"));
  EXPECT_GE(took, milliseconds(900));
  EXPECT_LT(took, seconds(10));
  EXPECT_EQ(host.server().requests(), 1);
}

TEST_F(ManagedIdentityTest, DockerDesktopIsNoImds) {
  identity_.probe = true;
  FakeIdentityHost host(Kind::imds);
  host.answer_next(
      {.status = 403, .body = "connecting to 169.254.169.254:80: network is unreachable."});
  EXPECT_THAT(message(ask_at(host)), HasSubstr("it is unreachable"));
  host.answer_next({.status = 403, .body = "forbidden, and so there"});
  EXPECT_THAT(ask_at(host), IsOk());
}

TEST_F(ManagedIdentityTest, ACallerWhoGivesUpIsNotAMissingIdentity) {
  FakeIdentityHost host(Kind::imds);
  const auto gate = std::make_shared<test::Gate>();
  host.answer_next({.before = gate});
  context_ = Context().with_timeout(milliseconds(200));
  EXPECT_THAT(ask_at(host), HasCode(Errc::timeout));
  gate->open();
}

TEST_F(ManagedIdentityTest, EndpointsAreNotFollowedElsewhere) {
  FakeIdentityHost other(Kind::app_service);
  FakeIdentityHost host(Kind::app_service);
  host.answer_next({.status = 307, .headers = {{"Location", other.origin() + "/msi/token"}}});
  EXPECT_THAT(ask_at(host), HasCode(Errc::not_found));
  EXPECT_EQ(other.server().requests(), 0);
}

TEST_F(ManagedIdentityTest, PlainHttpStaysNear) {
  const auto transport =
      std::make_shared<ScriptedTransport>([](const Seen&) -> Result<http::Response> {
        return answer(200, R"({"access_token":"t","expires_in":3600})");
      });
  options_.endpoint_transport = transport;
  for (const auto& [url, near_only] : {std::pair{"http://identity.example/msi", true},
                                       std::pair{"https://identity.example/msi", false}}) {
    set({{"IDENTITY_ENDPOINT", url}, {"IDENTITY_HEADER", "x"}});
    ManagedIdentityCredential credential(identity_, options_);
    EXPECT_THAT(ask(credential), IsOk());
    const auto seen = transport->seen();
    const auto& request = seen.back().request;
    EXPECT_EQ(request.forbidden_addresses.contains(http::AddressClass::global), near_only);
    EXPECT_FALSE(request.follow_redirects);
  }
  // Without a proxy that the environment names, whatever transport is berth's own.
  set({{"http_proxy", "http://127.0.0.1:1"}});
  options_.endpoint_transport = nullptr;
  FakeIdentityHost host(Kind::app_service);
  EXPECT_THAT(ask_at(host), IsOk());
}

TEST_F(ManagedIdentityTest, PlainHttpThatLeadsAwayIsNotAsked) {
  set({{"IDENTITY_ENDPOINT", "http://8.8.8.8/msi/token"}, {"IDENTITY_HEADER", "x"}});
  ManagedIdentityCredential credential(identity_, options_);
  EXPECT_THAT(message(ask(credential)), HasSubstr("leads out of this network: it is not asked"));
}

TEST_F(ManagedIdentityTest, ServiceFabricIsKnownByItsCertificateAlone) {
  const auto tls = std::make_shared<test::TlsCertificates>();
  FakeIdentityHost host(Kind::fabric, {.tls = tls});
  EXPECT_THAT(ask_at(host), IsOk());
  EXPECT_THAT(ask_at(host), IsOk()) << "each time anew";
  host.server().clear_log();
  set(host.environment());
  set({{"IDENTITY_SERVER_THUMBPRINT", std::string(40, 'A')}});
  ManagedIdentityCredential another(identity_, options_);
  EXPECT_THAT(message(ask(another)),
              HasSubstr("is not the one that it must have: nothing was sent"));
  EXPECT_EQ(host.server().requests(), 0);
  // Without TLS there is nothing to know it by.
  FakeIdentityHost open(Kind::fabric);
  set(open.environment());
  set({{"IDENTITY_SERVER_THUMBPRINT", std::string(40, 'A')}});
  ManagedIdentityCredential plain(identity_, options_);
  EXPECT_THAT(ask(plain), HasCode(Errc::not_found));
  EXPECT_EQ(open.server().requests(), 0);
  identity_.client_id = "one";
  EXPECT_THAT(message(ask_at(host)), HasSubstr("Service Fabric gives one identity only"));
}

TEST_F(ManagedIdentityTest, AnAnswerThatIsNoneIsNamed) {
  FakeIdentityHost host(Kind::app_service);
  for (const char* body : {"", "<html>", "{}", R"({"access_token":"t"})"}) {
    host.answer_next({.body = body});
    EXPECT_THAT(ask_at(host), HasCode(Errc::not_found)) << body;
  }
}

TEST_F(ManagedIdentityTest, ArcsAnswerMustBeForWhoWasAskedFor) {
  identity_.client_id = "assigned";
  FakeIdentityHost host(Kind::arc);
  host.assign("assigned");
  host.set_answer(R"({"access_token":"t","expires_in":3600,"client_id":"the-machine"})");
  EXPECT_THAT(message(ask_at(host)), HasSubstr("another identity than that of the client_id"));
}

TEST_F(ManagedIdentityTest, ArcsChallengeLeadsToNoOtherFile) {
  const auto secret = home_.write("secret.key", "the user's own");
  FakeIdentityHost host(Kind::arc);
  for (const std::string& challenge :
       {"Basic realm=" + secret.native(),
        "Basic realm=" + (host.keys() / ".." / home_.path().filename() / "secret.key").native(),
        "Basic realm=" + (host.keys() / "machine.txt").native(),
        std::string("Basic realm=/etc/passwd"), std::string("Bearer realm=x"), std::string("Basic"),
        "Basic realm=" + (host.keys() / "missing.key").native()}) {
    host.set_challenge(challenge);
    host.server().clear_log();
    EXPECT_THAT(ask_at(host), HasCode(Errc::not_found)) << challenge;
    EXPECT_EQ(host.server().requests(), 1) << challenge;
  }
}

TEST(ArcChallengeTest, ReadsAKeyOfItsFolderAlone) {
  const test::TempDir folder;
  folder.write("a.key", "content");
  folder.write("long.key", std::string(4097, 'x'));
  const test::TempDir elsewhere;
  ASSERT_EQ(::symlink(elsewhere.write("b.key", "secret").c_str(), (folder / "link.key").c_str()),
            0);
  ASSERT_EQ(::mkfifo((folder / "pipe.key").c_str(), 0600), 0);
  const auto answer = [&](const std::string& name) {
    return answer_arc_challenge("Basic realm=" + (folder / name).native(), folder.path());
  };
  EXPECT_EQ(answer("a.key")->reveal(), "content");
  EXPECT_EQ(
      answer_arc_challenge("Basic realm=\"" + (folder / "a.key").native() + "\"", folder.path())
          ->reveal(),
      "content");
  for (const char* name : {"long.key", "link.key", "pipe.key", "none.key", "sub/a.key", "a", ""}) {
    EXPECT_THAT(answer(name), HasCode(Errc::not_found)) << name;
  }
}

TEST_F(ManagedIdentityTest, HostsAreToldApartInOrder) {
  const auto key = [&](const std::map<std::string, std::string>& environment) {
    variables_.clear();
    set(environment);
    return ManagedIdentityCredential(identity_, options_).identity_key();
  };
  EXPECT_THAT(key({{"IDENTITY_ENDPOINT", "http://e"},
                   {"IDENTITY_HEADER", "h"},
                   {"IDENTITY_SERVER_THUMBPRINT", "t"}}),
              HasSubstr("Service Fabric http://e"));
  EXPECT_THAT(key({{"IDENTITY_ENDPOINT", "http://e"},
                   {"IDENTITY_HEADER", "the-header"},
                   {"MSI_ENDPOINT", "m"}}),
              AllOf(HasSubstr("App Service"), Not(HasSubstr("the-header"))));
  EXPECT_THAT(key({{"MSI_ENDPOINT", "http://m"}, {"MSI_SECRET", "s"}}),
              HasSubstr("Machine Learning"));
  EXPECT_THAT(key({{"MSI_ENDPOINT", "http://m"}, {"IMDS_ENDPOINT", "i"}}),
              HasSubstr("Cloud Shell"));
  EXPECT_THAT(key({{"IDENTITY_ENDPOINT", "http://a"}, {"IMDS_ENDPOINT", "i"}}),
              HasSubstr("Azure Arc http://a"));
  EXPECT_THAT(key({}), HasSubstr("IMDS http://169.254.169.254/metadata/identity/oauth2/token"));
  identity_.arc_agent = home_.write("himds", "");
  EXPECT_THAT(key({}), HasSubstr("Azure Arc http://127.0.0.1:40342/metadata"));
}

}  // namespace
}  // namespace berth::auth
