// SPDX-License-Identifier: Apache-2.0
#include "berth/acr/options.hpp"

#include <fmt/format.h>

#include "berth/base/log.hpp"

#include "support/loopback_listener.hpp"
#include "support/temp_dir.hpp"
#include "unit/acr/acr_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class OptionsTest : public AcrTest {
 protected:
  Result<acr::ContainerRepositoryProperties> ask(const acr::ContainerRegistryClientOptions& with,
                                                 const acr::OperationOptions& call = {}) {
    return client(with).repository(kName)->get_properties(context_, call);
  }
  std::string header(const char* name) { return fake_.server().log().back().header(name); }
};

TEST_F(OptionsTest, ServiceVersion) {
  auto with = options();
  with.service_version = "2030-01-01";
  ASSERT_THAT(ask(with), IsOk());
  EXPECT_THAT(requests(), ElementsAre("GET /acr/v1/library%2Fhello-world?api-version=2030-01-01"));
}

TEST_F(OptionsTest, Retries) {
  fake_.fault({.times = 0}, fault::status(503));
  auto with = options();
  with.retry = {.max_retries = 2,
                .retry_delay = std::chrono::milliseconds(10),
                .max_retry_delay = std::chrono::milliseconds(15)};
  EXPECT_THAT(ask(with), HasCode(Errc::unavailable));
  EXPECT_EQ(fake_.server().requests(), 3);
  EXPECT_THAT(clock_.sleeps(), ::testing::Each(::testing::Le(std::chrono::milliseconds(15))));
  with.retry.max_retries = 0;
  EXPECT_THAT(ask(with), HasCode(Errc::unavailable));
  EXPECT_EQ(fake_.server().requests(), 4);
}

TEST_F(OptionsTest, RetriesOfTransfersThatBreak) {
  const std::string bytes(2'000'000, 'b');
  const Digest blob = digest(fake_.add_blob(kName, bytes));
  const auto transfer = [&](int retries) {
    auto with = options();
    with.retry.max_retries = retries;
    const auto content = client(with).content(kName).value();
    fake_.fault({.method = "GET", .target = "*/blobs/*", .times = 2}, fault::cut(1'200'000));
    fake_.fault({.method = "PATCH", .times = 2}, fault::status(503));
    const TempDir folder;
    const auto down = content.download_blob_to(blob, folder / "blob", context_);
    const auto up = content.upload_blob(as_bytes(bytes + std::to_string(retries)), context_);
    fake_.clear_faults();
    return std::pair(down ? std::nullopt : std::optional(down.error().code()),
                     up ? std::nullopt : std::optional(up.error().code()));
  };
  EXPECT_EQ(transfer(0),
            std::pair(std::optional(Errc::unavailable), std::optional(Errc::unavailable)));
  EXPECT_EQ(transfer(2), std::pair(std::optional<Errc>(), std::optional<Errc>()));
}

TEST_F(OptionsTest, ChangesAreRepeatedTooAndRestoresAreNot) {
  fake_.fault({.method = "PATCH"}, fault::status(503));
  EXPECT_THAT(repository().update_properties({.can_list = true}, context_), IsOk());
  fake_.fault({.method = "POST"}, fault::status(503));
  EXPECT_THAT(repository().restore_manifest(digest(one_.digest), {}, context_),
              HasCode(Errc::unavailable));
  EXPECT_EQ(fake_.server().count("POST", "*"), 1);
}

TEST_F(OptionsTest, UserAgentPrefix) {
  ASSERT_THAT(ask(options()), IsOk());
  EXPECT_THAT(header("User-Agent"), StartsWith("berth/"));
  auto with = options();
  with.user_agent_prefix = "my-tool/1";
  ASSERT_THAT(ask(with), IsOk());
  EXPECT_THAT(header("User-Agent"), StartsWith("my-tool/1 berth/"));
}

TEST_F(OptionsTest, ClientRequestId) {
  acr::OperationOptions call;
  call.client_request_id = "mine-1";
  ASSERT_THAT(ask(options(), call), IsOk());
  EXPECT_EQ(header("x-ms-client-request-id"), "mine-1");
  auto with = options();
  with.client_request_id_header = "x-trace";
  ASSERT_THAT(ask(with, call), IsOk());
  EXPECT_EQ(header("x-trace"), "mine-1");
  EXPECT_EQ(header("x-ms-client-request-id"), "");
}

TEST_F(OptionsTest, CustomHeaders) {
  acr::OperationOptions call;
  call.custom_headers.add("X-Meta-Source-Client", "azure/test");
  ASSERT_THAT(ask(options(), call), IsOk());
  EXPECT_EQ(header("X-Meta-Source-Client"), "azure/test");
}

// S423
TEST_F(OptionsTest, TheRawResponseOfSuccessAndRefusal) {
  std::vector<acr::RawResponse> seen;
  acr::OperationOptions call;
  call.on_response = [&](const acr::RawResponse& raw) { seen.push_back(raw); };
  ASSERT_THAT(ask(options(), call), IsOk());
  EXPECT_THAT(client().repository("no/such")->get_properties(context_, call),
              HasCode(Errc::not_found));
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].status, 200);
  EXPECT_THAT(seen[0].body, HasSubstr(R"("imageName":"library/hello-world")"));
  EXPECT_EQ(seen[0].headers.all("Strict-Transport-Security").size(), 2U);
  EXPECT_EQ(seen[1].status, 404);
  EXPECT_THAT(seen[1].body, HasSubstr("NAME_UNKNOWN"));
  EXPECT_THAT(seen[1].url, HasSubstr("/acr/v1/no%2Fsuch?"));
}

/// Writes its name to a list, and what came of it.
class Noting final : public http::Transport {
 public:
  Noting(http::Transport& next, std::string name, std::vector<std::string>& notes)
      : next_(next),
        name_(std::move(name)),
        notes_(notes) {}
  ~Noting() override { notes_.push_back(name_ + " ends"); }
  Result<http::Response> send(const http::Request& request, const Context& context) override {
    http::Request changed = request;
    changed.headers.set("X-" + name_, "yes");
    notes_.push_back(name_ + " asks");
    auto answer = next_.send(changed, context);
    notes_.push_back(name_ + " got " + std::to_string(answer ? answer->status : 0));
    return answer;
  }

 private:
  http::Transport& next_;
  const std::string name_;
  std::vector<std::string>& notes_;
};

TEST_F(OptionsTest, OwnPoliciesInThePipeline) {
  std::vector<std::string> notes;
  auto with = options();
  for (const char* name : {"Outer", "Inner"}) {
    with.additional_policies.push_back([&notes, name](http::Transport& next) {
      return std::make_unique<Noting>(next, name, notes);
    });
  }
  ASSERT_THAT(ask(with), IsOk());
  EXPECT_THAT(notes, ElementsAre("Outer asks", "Inner asks", "Inner got 200", "Outer got 200",
                                 "Outer ends", "Inner ends"));
  EXPECT_EQ(header("X-Outer"), "yes");
  EXPECT_EQ(header("X-Inner"), "yes");
}

TEST_F(OptionsTest, ATransportOfOnesOwn) {
  std::vector<std::string> notes;
  const auto curl =
      std::shared_ptr<http::Transport>(http::make_curl_transport({.use_proxy_environment = false}));
  auto with = options();
  with.transport = std::make_shared<Noting>(*curl, "Own", notes);
  with.user_agent_prefix = "prefix";
  ASSERT_THAT(ask(with), IsOk());
  with.transport.reset();
  EXPECT_THAT(notes, ElementsAre("Own asks", "Own got 200", "Own ends"));
  EXPECT_THAT(header("User-Agent"), StartsWith("prefix berth/"));
}

TEST_F(OptionsTest, Proxy) {
  HttpServer proxy([&](const HttpRequest& request) {
    return HttpReply{
        .status = request.target.starts_with("http://registry.test/acr/v1/_catalog") ? 200 : 404,
        .body = R"({"repositories":["through"]})"};
  });
  auto with = options();
  with.proxy = proxy.origin();
  with.allow_insecure_connection = true;
  const auto far = acr::ContainerRegistryClient::create("http://registry.test", with).value();
  EXPECT_THAT(far.list_repository_names(context_).all(), IsOkAndHolds(ElementsAre("through")));
}

TEST_F(OptionsTest, AProxyThatAsksForALogin) {
  HttpServer proxy([](const HttpRequest& request) {
    const bool known = request.header("Proxy-Authorization") == "Basic bWU6cEBzcw==";  // me:p@ss
    return HttpReply{.status = known ? 200 : 407, .body = R"({"repositories":["through"]})"};
  });
  auto with = options();
  with.allow_insecure_connection = true;
  const auto names = [&](const std::string& user) {
    with.proxy = fmt::format("http://{}127.0.0.1:{}", user, proxy.port());
    return acr::ContainerRegistryClient::create("http://registry.test", with)
        ->list_repository_names(context_)
        .all();
  };
  EXPECT_THAT(names("me:p%40ss@"), IsOkAndHolds(ElementsAre("through")));
  EXPECT_FALSE(names("")) << "the proxy lets everybody through";
}

TEST_F(OptionsTest, Tls) {
  const auto certificates = std::make_shared<TlsCertificates>();
  FakeRegistry secure({.acr = true}, {.tls = certificates, .require_client_certificate = true});
  secure.add_image(kName, "v1", {});
  auto with = options();
  const auto ask_it = [&] {
    return acr::ContainerRegistryClient::create(secure.origin(), with)
        ->list_repository_names(context_)
        .all();
  };
  EXPECT_THAT(ask_it(), HasCode(Errc::untrusted));
  with.connection.ca_file = certificates->ca_file();
  with.connection.client_cert_file = certificates->client_cert();
  with.connection.client_key_file = certificates->client_key();
  EXPECT_THAT(ask_it(), IsOkAndHolds(ElementsAre(kName)));
  with.connection.client_cert_file = certificates->client_pkcs12();
  with.connection.client_key_file.clear();
  EXPECT_THAT(ask_it(), HasCode(Errc::untrusted));
  with.connection.client_key_password = Secret(TlsCertificates::kPassword);
  EXPECT_THAT(ask_it(), IsOkAndHolds(ElementsAre(kName)));
}

TEST_F(OptionsTest, TimeoutsAndCancellation) {
  const auto gate = std::make_shared<Gate>();
  fake_.fault({.times = 0}, fault::stall_head(gate));
  EXPECT_THAT(repository().get_properties(Context().with_timeout(std::chrono::milliseconds(50))),
              HasCode(Errc::timeout));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THAT(repository().get_properties(Context().with_stop(stop.get_token())),
              HasCode(Errc::cancelled));
  auto with = options();
  with.retry.max_retries = 0;
  with.stall_timeout = std::chrono::milliseconds(100);
  EXPECT_THAT(ask(with), HasCode(Errc::unavailable));
  gate->open();
}

TEST_F(OptionsTest, TheTimeToConnect) {
  const LoopbackListener silent;  // says nothing
  auto with = options();
  with.retry.max_retries = 0;
  with.connect_timeout = std::chrono::milliseconds(100);
  const std::string origin = "https://127.0.0.1:" + std::to_string(silent.port());
  const auto client = acr::ContainerRegistryClient::create(origin, with).value();
  EXPECT_THAT(client.list_repository_names(context_).all(), HasCode(Errc::unavailable));
}

TEST_F(OptionsTest, Redirects) {
  change([](auto& behaviour) { behaviour.redirect_blobs = true; });
  auto with = options();
  const auto download = [&] {
    const auto content = client(with).content(kName).value();
    const auto result = content.download_blob(digest(one_.layer_digests[0]), context_);
    return result ? Result<void>() : result.error();
  };
  with.max_redirects = 1;
  EXPECT_THAT(download(), IsOk());
  with.max_redirects = 0;
  const auto refused = download();
  ASSERT_THAT(refused, HasCode(Errc::corrupt));
  EXPECT_THAT(refused.error().message(), HasSubstr("more than 0 redirects"));
}

TEST_F(OptionsTest, LogsOfTheProcess) {
  std::vector<std::string> lines;
  log::set_sink([&](log::Level, std::string_view line) { lines.emplace_back(line); },
                log::Level::debug);
  EXPECT_THAT(ask(options()), IsOk());
  log::set_sink({}, log::Level::error);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], StartsWith("http: GET " + fake_.origin() + kPath + ": 200 in "));
}

/// As a tracer has it: of one request that went out.
struct Span {
  std::string parent;  // what the registry is shown
  std::string call;    // by its client request id
  int status = 0;
};

/// A span for each request, of the trace that the thread is in.
class Tracing final : public http::Transport {
 public:
  Tracing(http::Transport& next, const std::string& trace, std::vector<Span>& spans)
      : next_(next),
        trace_(trace),
        spans_(spans) {}
  Result<http::Response> send(const http::Request& request, const Context& context) override {
    const std::string* call = request.headers.find("x-ms-client-request-id");
    Span span{.parent = fmt::format("00-{}-{:016x}-01", trace_, spans_.size() + 1),
              .call = call == nullptr ? "" : *call};
    http::Request changed = request;
    changed.headers.set("traceparent", span.parent);
    auto answer = next_.send(changed, context);
    span.status = answer ? answer->status : 0;
    spans_.push_back(span);
    return answer;
  }

 private:
  http::Transport& next_;
  const std::string& trace_;
  std::vector<Span>& spans_;
};

TEST_F(OptionsTest, WhatTracingIsToldByAPolicy) {
  std::string trace(32, '1');
  std::vector<Span> spans;
  auto with = options();
  with.additional_policies.push_back(
      [&](http::Transport& next) { return std::make_unique<Tracing>(next, trace, spans); });
  fake_.fault({}, fault::status(503));
  const auto one = client(with).repository(kName).value();
  acr::OperationOptions call;
  call.client_request_id = "mine-1";
  ASSERT_THAT(one.get_properties(context_, call), IsOk());
  trace = std::string(32, '2');
  ASSERT_THAT(one.get_properties(context_), IsOk());
  ASSERT_EQ(spans.size(), 3U) << "one for each request, the repeated one's too";
  EXPECT_THAT(std::vector({spans[0].status, spans[1].status, spans[2].status}),
              ElementsAre(503, 200, 200));
  EXPECT_EQ(spans[0].call, "mine-1");
  EXPECT_EQ(spans[1].call, "mine-1");
  EXPECT_THAT(spans[2].call, ::testing::SizeIs(36)) << "of a call that names none";
  EXPECT_EQ(spans[1].parent, "00-11111111111111111111111111111111-0000000000000002-01");
  EXPECT_EQ(spans[2].parent, "00-22222222222222222222222222222222-0000000000000003-01");
  const auto log = fake_.server().log();
  ASSERT_EQ(log.size(), spans.size());
  for (std::size_t i = 0; i < log.size(); ++i) {
    EXPECT_EQ(log[i].header("traceparent"), spans[i].parent);
    EXPECT_EQ(log[i].header("x-ms-client-request-id"), spans[i].call);
  }
}

TEST_F(OptionsTest, AKeychainForWhoeverIsLoggedIn) {
  change([](auto& behaviour) { behaviour.auth = RegistryBehaviour::Auth::bearer; });
  credential::KeychainOptions keychain;
  keychain.environment = [](const std::string&) { return std::nullopt; };
  keychain.explicit_credential = alice();
  auto with = options();
  with.keychain = std::make_shared<credential::Keychain>(keychain);
  EXPECT_THAT(ask(with), IsOk());
}

class EntraCredential final : public auth::TokenCredential {
 public:
  explicit EntraCredential(std::string token)
      : token_(std::move(token)) {}
  Result<auth::AccessToken> get_token(const auth::TokenRequest& request, const Context&) override {
    scopes = request.scopes;
    if (token_.empty()) return Error(Errc::not_found, "nobody is logged in");
    return auth::AccessToken{
        .token = Secret(token_), .expires_on = Clock::SystemTime::max(), .refresh_on = {}};
  }
  std::string name() const override { return "EntraCredential"; }
  std::string identity_key() const override { return token_; }
  std::vector<std::string> scopes;

 private:
  std::string token_;
};

TEST_F(OptionsTest, AnEntraIdCredential) {
  change([](auto& behaviour) {
    behaviour.auth = RegistryBehaviour::Auth::bearer;
    behaviour.entra_tokens = {"entra-token"};
  });
  auto with = options();
  const auto identity = std::make_shared<EntraCredential>("entra-token");
  with.token_credential = identity;
  with.credential = alice();  // the identity comes first
  EXPECT_THAT(ask(with), IsOk());
  EXPECT_EQ(fake_.server().count("POST", "/oauth2/exchange?api-version=2021-07-01"), 1);
  EXPECT_THAT(identity->scopes,
              ::testing::ElementsAre("https://containerregistry.azure.net/.default"));
  with.token_credential = std::make_shared<EntraCredential>("");
  const auto refused = ask(with);
  ASSERT_THAT(refused, HasCode(Errc::unauthenticated));
  EXPECT_THAT(refused.error().message(),
              ::testing::HasSubstr("Microsoft Entra ID (nobody is logged in)"));
}

TEST_F(OptionsTest, ServiceVersionOfTheTokenServiceToo) {
  auto with = options();
  with.service_version = "2030-01-01";
  change([](auto& behaviour) {
    behaviour.auth = RegistryBehaviour::Auth::bearer;
    behaviour.entra_tokens = {"entra-token"};
  });
  with.token_credential = std::make_shared<EntraCredential>("entra-token");
  ASSERT_THAT(ask(with), IsOk());
  for (const char* path : {"/oauth2/exchange", "/oauth2/token"}) {
    EXPECT_EQ(fake_.server().count("POST", std::string(path) + "?api-version=2030-01-01"), 1)
        << path;
  }
}

TEST_F(OptionsTest, TheAudienceOfAnEntraIdToken) {
  change([](auto& behaviour) {
    behaviour.auth = RegistryBehaviour::Auth::bearer;
    behaviour.entra_tokens = {"entra-token"};
  });
  auto with = options();
  const auto identity = std::make_shared<EntraCredential>("entra-token");
  with.token_credential = identity;
  const std::pair<std::string_view, const char*> audiences[] = {
      {acr::known_audience::kContainerRegistry, "https://containerregistry.azure.net/.default"},
      {acr::known_audience::kPublicCloud, "https://management.azure.com/.default"},
      {acr::known_audience::kGovernment, "https://management.usgovcloudapi.net/.default"},
      {acr::known_audience::kChina, "https://management.chinacloudapi.cn/.default"},
      {acr::known_audience::kGermany, "https://management.microsoftazure.de/.default"},
  };
  for (const auto& [audience, scope] : audiences) {
    with.audience = audience;
    EXPECT_THAT(ask(with), IsOk());
    EXPECT_THAT(identity->scopes, ElementsAre(scope));
  }
}

TEST_F(OptionsTest, AnAccessTokenIsSentAsItIs) {
  auto with = options();
  with.credential = credential::Credential{};
  with.credential->registry_token = Secret("own-token");
  change([](auto& behaviour) { behaviour.auth = RegistryBehaviour::Auth::bearer; });
  EXPECT_THAT(ask(with), HasCode(Errc::unauthenticated));
  EXPECT_EQ(header("Authorization"), "Bearer own-token");
}

TEST_F(OptionsTest, TokensMayOutliveAProcess) {
  const TempDir folder;
  change([](auto& behaviour) { behaviour.auth = RegistryBehaviour::Auth::bearer; });
  auto with = options();
  with.credential = alice();
  with.token_folder = folder / "tokens";
  ASSERT_THAT(ask(with), IsOk());
  ASSERT_THAT(ask(with), IsOk());  // another client: as another process would be
  EXPECT_EQ(fake_.server().count("", "/oauth2/token*"), 1);
}

TEST_F(OptionsTest, RequestsAreCounted) {
  const auto one = client();
  ASSERT_THAT(one.list_repository_names(context_).all(), IsOk());
  EXPECT_EQ(one.requests(), 1U);
}

}  // namespace
}  // namespace berth::test
