// SPDX-License-Identifier: Apache-2.0
// TLS, proxies, and where a connection may lead.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include <gmock/gmock.h>

#include "berth/base/fd.hpp"
#include "berth/http/pinned_transport.hpp"

#include "http/proxy.hpp"
#include "http/tls_files.hpp"
#include "support/loopback_listener.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"
#include "support/tls_certificates.hpp"
#include "unit/http/transport_fixture.hpp"

namespace berth::http {
namespace {

using test::HasCode;
using test::HttpReply;
using test::HttpRequest;
using test::HttpServer;
using test::HttpServerOptions;
using test::IsOk;
using test::IsOkAndHolds;
using test::TlsCertificates;
using testing::HasSubstr;

class CurlTlsTest : public testing::Test {
 protected:
  // Making a certificate takes its time; they are all the same.
  static void SetUpTestSuite() { certificates() = std::make_shared<const TlsCertificates>(); }
  static void TearDownTestSuite() { certificates().reset(); }
  static std::shared_ptr<const TlsCertificates>& certificates() {
    static std::shared_ptr<const TlsCertificates> one;
    return one;
  }

  std::unique_ptr<HttpServer> serve(bool require_client_certificate = false) {
    return std::make_unique<HttpServer>(
        [](const HttpRequest&) { return HttpReply{.body = "safe"}; },
        HttpServerOptions{.tls = certificates(),
                          .require_client_certificate = require_client_certificate});
  }

  static Request with(Request request, ConnectionOptions options) {
    request.connection = std::make_shared<const ConnectionOptions>(std::move(options));
    return request;
  }

  std::unique_ptr<Transport> transport_ = make_curl_transport(plain_options());
};

TEST_F(CurlTlsTest, AnUnknownAuthorityIsUntrustedAndTheRemedyIsNamed) {
  const auto server = serve();
  const auto got = fetch(*transport_, get(*server));
  EXPECT_THAT(got, HasCode(Errc::untrusted));
  EXPECT_FALSE(got.error().is_retryable());
  EXPECT_THAT(got.error().message(), HasSubstr("--ca-file"));
  EXPECT_EQ(server->requests(), 0);
}

TEST_F(CurlTlsTest, AnOwnAuthorityIsTrustedForTheRequestThatNamesIt) {
  const auto server = serve();
  const Request request = with(get(*server), {.ca_file = certificates()->ca_file()});
  EXPECT_THAT(fetch(*transport_, request), IsOkAndHolds("safe"));
  EXPECT_THAT(fetch(*transport_, request), IsOkAndHolds("safe"));
  EXPECT_EQ(server->connections(), 1);
  // Nobody else rides on the connection that was trusted.
  EXPECT_THAT(fetch(*transport_, get(*server)), HasCode(Errc::untrusted));
}

TEST_F(CurlTlsTest, AskedToTrustAnyoneItDoes) {
  const auto server = serve();
  EXPECT_THAT(fetch(*transport_, with(get(*server), {.insecure_skip_verify = true})),
              IsOkAndHolds("safe"));
  EXPECT_THAT(fetch(*transport_, get(*server)), HasCode(Errc::untrusted));
}

TEST_F(CurlTlsTest, APinnedServerIsKnownByItsCertificateAlone) {
  const auto server = serve();
  std::vector<std::string> shown;
  bool answer = true;
  const auto pinned = make_pinned_transport(
      [&](std::string_view pem) {
        shown.emplace_back(pem);
        return answer;
      },
      plain_options());
  EXPECT_THAT(fetch(*pinned, get(*server)), IsOkAndHolds("safe"));
  EXPECT_THAT(fetch(*pinned, get(*server)), IsOkAndHolds("safe"));
  ASSERT_EQ(shown.size(), 2U) << "each time anew";
  std::ifstream file(certificates()->server_cert());
  const std::string pem{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(shown[0].substr(0, 500), pem.substr(0, 500));
  answer = false;
  server->clear_log();
  const auto refused = fetch(*pinned, get(*server));
  ASSERT_THAT(refused, HasCode(Errc::untrusted));
  EXPECT_THAT(refused.error().message(), HasSubstr("nothing was sent"));
  EXPECT_EQ(server->requests(), 0);
  // Without TLS there is nothing to know it by.
  answer = true;
  HttpServer plain([](const HttpRequest&) { return HttpReply{.body = "open"}; });
  EXPECT_THAT(fetch(*pinned, get(plain)), HasCode(Errc::untrusted));
  EXPECT_EQ(plain.requests(), 0);
}

TEST_F(CurlTlsTest, AClientCertificateIsShown) {
  const auto server = serve(true);
  const std::string ca = certificates()->ca_file();
  const auto refused = fetch(*transport_, with(get(*server), {.ca_file = ca}));
  // By the server's alert, or by the reset with which it closes: whichever comes first.
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message(), HasSubstr("client certificate"));
  EXPECT_THAT(
      fetch(*transport_, with(get(*server), {.ca_file = ca,
                                             .client_cert_file = certificates()->client_cert(),
                                             .client_key_file = certificates()->client_key()})),
      IsOkAndHolds("safe"));
}

TEST_F(CurlTlsTest, CertificateAndKeyMayShareAFile) {
  const auto server = serve(true);
  const test::TempDir dir;
  std::ifstream cert(certificates()->client_cert());
  std::ifstream key(certificates()->client_key());
  const std::string both = std::string(std::istreambuf_iterator<char>(cert), {}) +
                           std::string(std::istreambuf_iterator<char>(key), {});
  EXPECT_THAT(
      fetch(*transport_, with(get(*server), {.ca_file = certificates()->ca_file(),
                                             .client_cert_file = dir.write("both.pem", both)})),
      IsOkAndHolds("safe"));
}

// S420
TEST_F(CurlTlsTest, AKeyMayBeEncryptedAndStandWithItsCertificateInOneFile) {
  const auto server = serve(true);
  const test::TempDir dir;
  const std::string password =
      dir.write("password", TlsCertificates::kPassword + std::string("\n"));
  const std::string wrong = dir.write("wrong", "sesame\n");
  ConnectionOptions pem{.ca_file = certificates()->ca_file(),
                        .client_cert_file = certificates()->client_cert(),
                        .client_key_file = certificates()->encrypted_client_key()};
  ConnectionOptions pkcs12{.ca_file = certificates()->ca_file(),
                           .client_cert_file = certificates()->client_pkcs12()};
  for (ConnectionOptions& options : {std::ref(pem), std::ref(pkcs12)}) {
    // A transport for each: a connection that is open needs no key any more.
    const auto ask = [&] {
      return fetch(*make_curl_transport(plain_options()), with(get(*server), options));
    };
    for (const std::string& none : {std::string(), wrong}) {
      options.client_key_password_file = none;
      const auto refused = ask();
      ASSERT_THAT(refused, HasCode(Errc::untrusted)) << none;
      EXPECT_THAT(refused.error().message(), HasSubstr("needs its right password"));
    }
    options.client_key_password_file = password;
    EXPECT_THAT(ask(), IsOkAndHolds("safe"));
    options.client_key_password_file = wrong;
    options.client_key_password = Secret(TlsCertificates::kPassword);
    EXPECT_THAT(ask(), IsOkAndHolds("safe"));
  }
  pem.client_key_password = Secret();
  pem.client_key_password_file = (dir / "missing").string();
  const auto missing = fetch(*transport_, with(get(*server), pem));
  ASSERT_THAT(missing, HasCode(Errc::invalid_argument));
  EXPECT_THAT(missing.error().message(), HasSubstr(pem.client_key_password_file));
}

TEST_F(CurlTlsTest, EachOfSeveralCaFilesIsTrusted) {
  const auto server = serve();
  const TlsCertificates another(TlsCertificates::Options{.authority = "another CA"});
  ConnectionOptions several;
  several.ca_file = another.ca_file();
  EXPECT_THAT(fetch(*transport_, with(get(*server), several)), HasCode(Errc::untrusted));
  several.more_ca_files = {certificates()->ca_file()};
  EXPECT_THAT(fetch(*transport_, with(get(*server), several)), IsOk());
  std::swap(several.ca_file, several.more_ca_files.front());
  EXPECT_THAT(fetch(*transport_, with(get(*server), several)), IsOk());
}

TEST_F(CurlTlsTest, BadFilesAreNamedBeforeAnyConnection) {
  const auto server = serve();
  const test::TempDir dir;
  const std::string missing = (dir / "missing.pem").string();
  const auto got = fetch(*transport_, with(get(*server), {.ca_file = missing}));
  EXPECT_THAT(got, HasCode(Errc::invalid_argument));
  EXPECT_THAT(got.error().message(), HasSubstr(missing));
  EXPECT_THAT(fetch(*transport_, with(get(*server), {.ca_file = dir.write("der", "\x30\x82")})),
              HasCode(Errc::invalid_argument));
  // A certificate in DER, which begins as PKCS#12 does.
  const std::string der = dir.write("cert.der", "\x30\x03\x30\x01\x03");
  const auto cert = fetch(*transport_, with(get(*server), {.client_cert_file = der}));
  ASSERT_THAT(cert, HasCode(Errc::invalid_argument));
  EXPECT_THAT(cert.error().message(), HasSubstr("(openssl x509 -inform der)"));
  const auto key =
      fetch(*transport_, with(get(*server), {.client_cert_file = certificates()->client_cert(),
                                             .client_key_file = der}));
  ASSERT_THAT(key, HasCode(Errc::invalid_argument));
  EXPECT_THAT(key.error().message(), HasSubstr("(openssl pkey -inform der)"));
  EXPECT_THAT(
      fetch(*transport_, with(get(*server), {.ca_file = certificates()->ca_file(),
                                             .client_cert_file = certificates()->client_cert(),
                                             .client_key_file = certificates()->server_key()})),
      HasCode(Errc::untrusted));
  EXPECT_EQ(server->requests(), 0);
}

TEST_F(CurlTlsTest, AnExpiredOrOtherNamesCertificateIsUntrusted) {
  const auto expired =
      std::make_shared<const TlsCertificates>(TlsCertificates::Options{.expired = true});
  const HttpServer late([](const HttpRequest&) { return HttpReply{}; },
                        HttpServerOptions{.tls = expired});
  EXPECT_THAT(fetch(*transport_, with(get(late), {.ca_file = expired->ca_file()})),
              HasCode(Errc::untrusted));
  const auto other = std::make_shared<const TlsCertificates>(
      TlsCertificates::Options{.dns_names = {"other.test"}, .addresses = {"127.0.0.9"}});
  const HttpServer wrong([](const HttpRequest&) { return HttpReply{}; },
                         HttpServerOptions{.tls = other});
  EXPECT_THAT(fetch(*transport_, with(get(wrong), {.ca_file = other->ca_file()})),
              HasCode(Errc::untrusted));
}

// S415
TEST_F(CurlTlsTest, AKeyBesideAPkcs12FileIsRefused) {
  TlsFiles files({});
  ConnectionOptions options{.client_cert_file = certificates()->client_pkcs12()};
  EXPECT_THAT(files.load(options, false), IsOk());
  options.client_key_file = certificates()->client_key();
  const auto both = files.load(options, false);
  ASSERT_THAT(both, HasCode(Errc::invalid_argument));
  EXPECT_THAT(both.error().message(), HasSubstr(options.client_key_file));
}

// S425
TEST_F(CurlTlsTest, AKeyOrItsPasswordWithoutACertificateIsRefused) {
  TlsFiles files({});
  const auto key = files.load({.client_key_file = "/me.key"}, false);
  ASSERT_THAT(key, HasCode(Errc::invalid_argument));
  EXPECT_EQ(key.error().message(), "the client key /me.key needs its certificate: name that, too");
  const auto password = files.load({.client_key_password_file = "/me.password"}, false);
  ASSERT_THAT(password, HasCode(Errc::invalid_argument));
  EXPECT_THAT(password.error().message(), HasSubstr("/me.password has no client certificate"));
}

// S414
TEST_F(CurlTlsTest, APasswordIsReadAgainWhenItChangedAndStaysWhenItIsGone) {
  const test::TempDir dir;
  TlsFiles files({});
  const auto password = [&](const std::string& file) {
    const auto loaded = files.load(
        {.client_cert_file = certificates()->client_pkcs12(), .client_key_password_file = file},
        false);
    return loaded ? loaded->client_key_password.reveal() : loaded.error().message();
  };
  const std::string file = dir.write("password", "first\r\nother");
  EXPECT_EQ(password(file), "first");
  dir.write("password", "the second");
  EXPECT_EQ(password(file), "the second");
  std::filesystem::remove(file);
  EXPECT_EQ(password(file), "the second");
  EXPECT_THAT(password((dir / "missing").string()), HasSubstr("cannot read the password"));

  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd reader(ends[0]);
  const auto tell = [](Fd writer, std::string_view words) {
    EXPECT_THAT(write_all(writer.get(), as_bytes(words)), IsOk());
  };
  tell(Fd(ends[1]), "of a pipe\n");
  const std::string pipe = "/proc/self/fd/" + std::to_string(reader.get());
  EXPECT_EQ(password(pipe), "of a pipe");
  // Whatever else comes, and when: it was read.
  tell(Fd(::open(pipe.c_str(), O_WRONLY | O_CLOEXEC)), "more\n");
  EXPECT_EQ(password(pipe), "of a pipe");
}

TEST(TlsFilesTest, TheFolderStaysWhenTheBundleIsReadToo) {
  TlsFiles files({.bundle = "/nowhere/bundle.crt", .folder = "/nowhere/certs"});
  const auto some = files.load({}, false);
  ASSERT_THAT(some, IsOk());
  EXPECT_EQ(some->ca_folder, "/nowhere/certs");
  EXPECT_FALSE(some->bundle);
  const auto whole = files.load({}, true);
  ASSERT_THAT(whole, IsOk());
  EXPECT_EQ(whole->ca_folder, "/nowhere/certs");
  EXPECT_TRUE(whole->bundle);
}

TEST(TlsFilesTest, WithoutAFolderThereIsTheBundle) {
  TlsFiles files({.bundle = "/nowhere/bundle.crt", .folder = {}});
  EXPECT_TRUE(files.load({}, false)->bundle);
}

// Says one thing to whoever connects, whatever they said.
class Parrot {
 public:
  explicit Parrot(std::string words) {
    thread_ = std::jthread([this, words = std::move(words)] {
      for (;;) {
        const Fd peer(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!peer) return;
        (void)::send(peer.get(), words.data(), words.size(), MSG_NOSIGNAL);
        char rest[512];
        while (::read(peer.get(), rest, sizeof rest) > 0) {
        }
      }
    });
  }
  ~Parrot() { ::shutdown(listener_.fd(), SHUT_RDWR); }

  Request request() const {
    Request request;
    request.url = *Url::parse("https://127.0.0.1:" + std::to_string(listener_.port()) + "/");
    return request;
  }

 private:
  const test::LoopbackListener listener_;
  std::jthread thread_;
};

TEST_F(CurlTlsTest, TlsToAPlainPortSaysSo) {
  const Parrot plain("HTTP/1.1 400 Bad Request\r\n\r\n");
  const auto got = fetch(*transport_, plain.request());
  EXPECT_THAT(got, HasCode(Errc::untrusted));
  EXPECT_THAT(got.error().message(), HasSubstr("does not speak TLS"));
}

TEST_F(CurlTlsTest, AHandshakeWithoutEndIsUnavailable) {
  const Parrot silent("");
  CurlOptions options = plain_options();
  options.connect_timeout = std::chrono::milliseconds(100);
  const auto got = fetch(*make_curl_transport(options), silent.request());
  EXPECT_THAT(got, HasCode(Errc::unavailable));
  EXPECT_TRUE(got.error().is_retryable());
}

// --- Where a connection may lead.

TEST(CurlAddressTest, PlainHttpIsRefusedBeforeAnythingIsSent) {
  const auto transport = make_curl_transport(plain_options());
  Request request;
  request.url = *Url::parse("http://registry.invalid/");
  EXPECT_THAT(transport->send(request, soon()), HasCode(Errc::untrusted));
  request.allow_plain_http = true;
  EXPECT_THAT(transport->send(request, soon()), HasCode(Errc::unavailable));
}

TEST(CurlAddressTest, AForbiddenAddressIsNotConnectedTo) {
  HttpServer server([](const HttpRequest&) { return HttpReply{}; });
  const auto transport = make_curl_transport(plain_options());
  Request request = get(server);
  request.forbidden_addresses = {AddressClass::loopback};
  const auto got = fetch(*transport, request);
  EXPECT_THAT(got, HasCode(Errc::untrusted));
  EXPECT_FALSE(got.error().is_retryable());
  EXPECT_EQ(server.connections(), 0);
}

TEST(CurlAddressTest, NorIsAConnectionUsedThatLeadsThere) {
  HttpServer server([](const HttpRequest&) { return HttpReply{.body = "x"}; });
  const auto transport = make_curl_transport(plain_options());
  ASSERT_THAT(fetch(*transport, get(server)), IsOk());
  Request request = get(server);
  request.forbidden_addresses = {AddressClass::loopback};
  EXPECT_THAT(fetch(*transport, request), HasCode(Errc::untrusted));
  EXPECT_EQ(server.requests(), 1);
}

TEST(CurlAddressTest, LocalhostIsLoopback) {
  HttpServer server([](const HttpRequest&) { return HttpReply{.body = "x"}; });
  const auto transport = make_curl_transport(plain_options());
  Request request;
  request.url = *Url::parse("http://localhost:" + std::to_string(server.port()) + "/");
  auto response = transport->send(request, soon());
  ASSERT_THAT(response, IsOk());
  EXPECT_EQ(response->peer, AddressClass::loopback);
}

// --- Proxies.

TEST(CurlProxyTest, AsksTheProxyOfTheEnvironment) {
  HttpServer proxy([](const HttpRequest&) { return HttpReply{.body = "by proxy"}; });
  CurlOptions options = plain_options();
  options.environment = environment_of({{"http_proxy", proxy.origin()}});
  const auto transport = make_curl_transport(options);
  Request request;
  request.url = *Url::parse("http://registry.invalid/v2/");
  request.allow_plain_http = true;
  request.forbidden_addresses = {AddressClass::loopback};  // of the registry, not of the proxy
  auto response = transport->send(request, soon());
  ASSERT_THAT(response, IsOk());
  EXPECT_EQ(response->peer, std::nullopt);
  EXPECT_EQ(proxy.log()[0].target, "http://registry.invalid/v2/");
}

TEST(CurlProxyTest, OpensATunnelForTlsWithoutTheCredential) {
  HttpServer proxy([](const HttpRequest&) { return HttpReply{.status = 407}; });
  CurlOptions options = plain_options();
  options.environment = environment_of({{"https_proxy", proxy.origin()}});
  Request request;
  request.url = *Url::parse("https://registry.invalid/v2/");
  request.authorization = Secret("Bearer secret");
  const auto refused = fetch(*make_curl_transport(options), request);
  EXPECT_THAT(refused, HasCode(Errc::denied));
  EXPECT_FALSE(refused.error().is_retryable());
  EXPECT_THAT(refused.error().message(),
              HasSubstr("the proxy " + proxy.origin() + " asks for a login"));
  const HttpRequest seen = proxy.log().at(0);
  EXPECT_EQ(seen.method, "CONNECT");
  EXPECT_EQ(seen.target, "registry.invalid:443");
  EXPECT_FALSE(seen.has_header("Authorization"));
}

TEST(CurlProxyTest, ItsStatusTellsWhetherToTryAgain) {
  for (const auto& [status, code] : {std::pair(403, Errc::denied), {502, Errc::unavailable}}) {
    HttpServer proxy([said = status](const HttpRequest&) { return HttpReply{.status = said}; });
    CurlOptions options = plain_options();
    options.environment = environment_of({{"https_proxy", proxy.origin()}});
    Request request;
    request.url = *Url::parse("https://registry.invalid/v2/");
    const auto refused = fetch(*make_curl_transport(options), request);
    EXPECT_THAT(refused, HasCode(code));
    EXPECT_THAT(refused.error().message(), HasSubstr("HTTP " + std::to_string(status)));
  }
}

TEST(CurlProxyTest, ItsPasswordIsInNoMessage) {
  HttpServer proxy([](const HttpRequest&) { return HttpReply{.status = 407}; });
  Request request;
  request.url = *Url::parse("https://registry.invalid/v2/");
  const std::string place = "127.0.0.1:" + std::to_string(proxy.port());
  const std::vector<std::string> values = {
      "http://me:s3cr3t@" + place,    "http://me:s3cr3t@no-such-proxy.invalid:3128",
      "http://me:s3cr3t@127.0.0.1:1", "http://me:s3cr3t@:x",
      "gopher://me:s3cr3t@" + place,  "http://me:s3cr3t/x@" + place,
      "me:s3cr3t@" + place + "x"};
  for (const std::string& value : values) {
    CurlOptions options = plain_options();
    options.environment = environment_of({{"https_proxy", value}});
    const auto failed = fetch(*make_curl_transport(options), request);
    ASSERT_FALSE(failed) << value;
    EXPECT_THAT(failed.error().describe(), testing::Not(HasSubstr("s3cr3t"))) << value;
  }
}

TEST(ProxySettingsTest, WhatIsNoProxyIsRefusedByTheNameOfItsVariable) {
  const Url tls = *Url::parse("https://a.example/");
  for (const char* bad : {"http://", "http://:3128", "ftp://p:1", "http://p:x", "http://p:70000",
                          "http://a b:1", "http://u:p/w@p:1", "http://[::1:1", "u@"}) {
    const auto proxy = ProxySettings(environment_of({{"HTTPS_PROXY", bad}})).proxy_for(tls);
    EXPECT_THAT(proxy, HasCode(Errc::invalid_argument)) << bad;
    ASSERT_FALSE(proxy) << bad;
    EXPECT_THAT(proxy.error().message(), HasSubstr("HTTPS_PROXY")) << bad;
  }
  for (const char* good : {"p", "p:3128", "http://p:3128/", "HTTP://u:%40@p", "socks5h://[::1]:9",
                           "https://u@10.0.0.1:1", "http://u:a@b@p_1:8080"}) {
    EXPECT_THAT(ProxySettings(environment_of({{"https_proxy", good}})).proxy_for(tls),
                IsOkAndHolds(good));
  }
}

TEST(CurlProxyTest, IsLeftAloneWhenSwitchedOffAndForLoopback) {
  HttpServer proxy([](const HttpRequest&) { return HttpReply{.body = "by proxy"}; });
  HttpServer server([](const HttpRequest&) { return HttpReply{.body = "direct"}; });
  CurlOptions options = plain_options();
  options.environment = environment_of({{"http_proxy", proxy.origin()}});
  EXPECT_THAT(fetch(*make_curl_transport(options), get(server)), IsOkAndHolds("direct"));
  options.use_proxy_environment = false;
  Request request;
  request.url = *Url::parse("http://registry.invalid/v2/");
  request.allow_plain_http = true;
  EXPECT_THAT(fetch(*make_curl_transport(options), request), HasCode(Errc::unavailable));
  EXPECT_EQ(proxy.connections(), 0);
}

TEST(ProxySettingsTest, ReadsTheVariablesAsCurlDoes) {
  const Url plain = *Url::parse("http://a.example/");
  const Url tls = *Url::parse("https://a.example/");
  const auto proxy = [](std::map<std::string, std::string> values, const Url& url) {
    return ProxySettings(environment_of(std::move(values))).proxy_for(url).value();
  };
  EXPECT_EQ(proxy({{"http_proxy", "p"}}, plain), "p");
  EXPECT_EQ(proxy({{"http_proxy", "p"}}, tls), "");
  EXPECT_EQ(proxy({{"HTTP_PROXY", "p"}}, plain), "");
  EXPECT_EQ(proxy({{"HTTPS_PROXY", "p"}}, tls), "p");
  EXPECT_EQ(proxy({{"HTTPS_PROXY", "p"}, {"https_proxy", "q"}}, tls), "q");
  EXPECT_EQ(proxy({{"ALL_PROXY", "p"}}, tls), "p");
  EXPECT_EQ(proxy({{"all_proxy", "p"}}, plain), "p");
}

TEST(ProxySettingsTest, NoProxyNamesDomainsAddressesAndAll) {
  const auto direct = [](const std::string& list, const std::string& host) {
    const ProxySettings settings(environment_of({{"https_proxy", "p"}, {"no_proxy", list}}));
    return settings.proxy_for(*Url::parse("https://" + host + "/"))->empty();
  };
  EXPECT_TRUE(direct("*", "a.example"));
  EXPECT_TRUE(direct("b.example, A.example", "a.example"));
  EXPECT_TRUE(direct("example", "a.example"));
  EXPECT_TRUE(direct(".example", "a.example"));
  EXPECT_TRUE(direct(".a.example", "a.example"));
  EXPECT_FALSE(direct("xample", "a.example"));
  EXPECT_FALSE(direct("b.a.example", "a.example"));
  EXPECT_FALSE(direct("", "a.example"));
  EXPECT_TRUE(direct("10.0.0.0/8", "10.1.2.3"));
  EXPECT_FALSE(direct("10.0.0.0/8", "11.1.2.3"));
  EXPECT_TRUE(direct("10.1.2.3", "10.1.2.3"));
  EXPECT_FALSE(direct("10.1.2.3/x", "10.1.2.3"));
  EXPECT_FALSE(direct("2.3", "10.1.2.3"));
  EXPECT_TRUE(direct("[fd00::]/8,fd00::/8", "[fd12::1]"));
  EXPECT_TRUE(direct("[2001:db8::1]", "[2001:db8::1]"));
  EXPECT_FALSE(direct("2001:db8::1", "[2001:db8::2]"));
  EXPECT_TRUE(direct("", "127.0.0.1"));
}

// --- libcurl comes with the first request, not with the program.

bool libcurl_is_loaded() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("libcurl.so") != std::string::npos) return true;
  }
  return false;
}

// Runs in a process of its own: other tests of this program have sent requests.
TEST(CurlLibraryDeathTest, IsLoadedByTheFirstRequestOnly) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const bool at_start = libcurl_is_loaded();
        HttpServer server([](const HttpRequest&) { return HttpReply{.body = "x"}; });
        const auto transport = make_curl_transport(plain_options());
        const bool when_made = libcurl_is_loaded();
        const bool fetched = fetch(*transport, get(server)).has_value();
        const bool good = !at_start && !when_made && fetched && libcurl_is_loaded();
        std::_Exit(good ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace berth::http
