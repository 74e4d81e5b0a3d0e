// SPDX-License-Identifier: Apache-2.0
#include "berth/content/hub.hpp"

#include <thread>

#include <gmock/gmock.h>

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"
#include "unit/content/fake_source.hpp"

namespace berth::test {
namespace {

using ::testing::ElementsAre;

/// Answers every request by what is said of its scheme.
class SchemeTransport final : public http::Transport {
 public:
  using Answer = std::function<Result<int>()>;

  Result<http::Response> send(const http::Request& request, const Context& context) override {
    const std::string scheme = request.url.origin().scheme;
    Answer answer;
    {
      MutexLock lock(mutex_);
      asked_.push_back(request.method + " " + request.url.text());
      patience_.push_back(context.remaining(std::chrono::hours(1)));
      connection_ = request.connection;
      answer = scheme == "https" ? https : http;
    }
    auto status = answer();
    if (!status) return std::move(status).error();
    http::Response response;
    response.status = *status;
    response.url = request.url;
    response.headers.add("Content-Type", "application/json");
    response.body = http::make_string_body(R"({"name":"a","tags":["v1"]})");
    return response;
  }
  std::vector<std::string> asked() const {
    MutexLock lock(mutex_);
    return asked_;
  }

  /// What was left of each request's time.
  std::vector<std::chrono::nanoseconds> patience() const {
    MutexLock lock(mutex_);
    return patience_;
  }

  /// The last request's.
  http::ConnectionOptions connection() const {
    MutexLock lock(mutex_);
    return connection_ != nullptr ? *connection_ : http::ConnectionOptions{};
  }

  Answer https = [] { return 200; };
  Answer http = [] { return 200; };

 private:
  mutable Mutex mutex_;
  std::vector<std::string> asked_ BERTH_GUARDED_BY(mutex_);
  std::vector<std::chrono::nanoseconds> patience_ BERTH_GUARDED_BY(mutex_);
  std::shared_ptr<const http::ConnectionOptions> connection_ BERTH_GUARDED_BY(mutex_);
};

class HubTest : public ::testing::Test {
 protected:
  void open(std::vector<std::string> plain_http = {}, const std::string& config = {},
            http::ConnectionOptions connection = {}) {
    const std::string file = folder_.write("config.toml", config).string();
    const std::string home = folder_.path().string();
    content::HubOptions options;
    options.environment = [file, home](const std::string& name) -> std::optional<std::string> {
      if (name == "BERTH_CONFIG") return file;
      if (name == "HOME") return home;
      return std::nullopt;
    };
    options.plain_http = std::move(plain_http);
    if (connection != http::ConnectionOptions{}) options.connection_hosts = {"example.com"};
    options.connection = std::move(connection);
    options.transport = &transport_;
    options.retry.attempts = 1;
    auto hub = content::Hub::open(std::move(options));
    ASSERT_THAT(hub, IsOk());
    hub_ = std::move(*hub);
  }
  Result<registry::Page> tags(const std::string& registry) {
    auto source = hub_->source(registry);
    if (!source) return std::move(source).error();
    return (*source)->list_tags("a", "", Context().with_timeout(std::chrono::seconds(10)));
  }
  void speaks_no_tls() {
    transport_.https = [] {
      return Error(Errc::untrusted, "it does not speak TLS").retryable(false);
    };
  }

  TempDir folder_;
  SchemeTransport transport_;
  std::unique_ptr<content::Hub> hub_;
};

TEST_F(HubTest, ASourceCostsNoRequest) {
  open();
  for (const char* registry : {"example.com", "localhost:5000"}) {
    auto source = hub_->source(registry);
    ASSERT_THAT(source, IsOk());
    EXPECT_EQ((*source)->name(), registry);
    EXPECT_EQ(*source, *hub_->source(registry));
  }
  EXPECT_TRUE(transport_.asked().empty());
  EXPECT_THAT(hub_->source("not a registry"), HasCode(Errc::invalid_argument));
  EXPECT_EQ(hub_->cache().folder(), folder_ / ".cache/berth");
}

TEST_F(HubTest, LoopbackWithoutTlsIsSpokenToInTheClear) {
  open();
  speaks_no_tls();
  ASSERT_THAT(tags("127.0.0.1:5000"), IsOk());
  ASSERT_THAT(tags("127.0.0.1:5000"), IsOk());
  EXPECT_THAT(transport_.asked(),
              ElementsAre("GET https://127.0.0.1:5000/v2/", "GET http://127.0.0.1:5000/v2/",
                          ::testing::StartsWith("GET http://127.0.0.1:5000/v2/a/tags/list"),
                          ::testing::StartsWith("GET http://127.0.0.1:5000/v2/a/tags/list")));
  EXPECT_EQ(hub_->requests().requests, 4U);
}

TEST_F(HubTest, LoopbackWithTlsKeepsIt) {
  open();
  ASSERT_THAT(tags("localhost:5000"), IsOk());
  for (const std::string& request : transport_.asked()) {
    EXPECT_THAT(request, ::testing::HasSubstr("https://"));
  }
}

TEST_F(HubTest, AnUntrustedCertificateIsNoReasonForPlainHttp) {
  open();
  transport_.https = [] { return Error(Errc::untrusted, "the certificate is not trusted"); };
  transport_.http = [] { return 400; };  // as servers that want TLS answer
  auto refused = tags("localhost:5000");
  ASSERT_THAT(refused, HasCode(Errc::untrusted));
  EXPECT_THAT(refused.error().message(), ::testing::HasSubstr("certificate"));
}

TEST_F(HubTest, AServerThatIsSilentToTlsLeavesTimeToBeAskedWithout) {
  open();
  transport_.https = [] { return Error(Errc::timeout, "no answer in time"); };
  auto source = hub_->source("localhost:5000");
  ASSERT_THAT(source, IsOk());
  ASSERT_THAT((*source)->list_tags("a", "", Context().with_timeout(std::chrono::seconds(4))),
              IsOk());
  ASSERT_GE(transport_.patience().size(), 2U);
  EXPECT_LE(transport_.patience()[0], std::chrono::seconds(2)) << "half of what there is";
}

TEST_F(HubTest, WhereNobodyAnswersNoSchemeIsBlamed) {
  open();
  for (const Error& gone : {Error(Errc::unavailable, "cannot connect").with_sys_errno(ECONNREFUSED),
                            Error(Errc::timeout, "no answer in time")}) {
    transport_.https = [gone] { return gone; };
    transport_.http = transport_.https;
    const auto asked = tags("localhost:5000");
    ASSERT_THAT(asked, HasCode(gone.code()));
    EXPECT_THAT(asked.error().message(), ::testing::HasSubstr("neither with TLS nor without it"));
    EXPECT_THAT(asked.error().message(), ::testing::Not(::testing::HasSubstr("https")));
  }
  // It answered TLS in plain text: what is wrong with it now is not that.
  transport_.https = [] { return Error(Errc::untrusted, "no TLS").with_sys_errno(EPROTO); };
  transport_.http = [] { return Error(Errc::timeout, "no answer in time"); };
  EXPECT_THAT(tags("localhost:5000"), HasCode(Errc::timeout));
  transport_.http = transport_.https;
  // A server that breaks off may have had a reason of TLS: its word is kept.
  transport_.https = [] { return Error(Errc::unavailable, "https: misses a certificate"); };
  EXPECT_THAT(tags("localhost:5000").error().message(), ::testing::HasSubstr("misses"));
}

TEST_F(HubTest, NobodyAtLoopbackIsAskedAgainNextTime) {
  open();
  transport_.https = [] { return Error(Errc::unavailable, "cannot connect"); };
  transport_.http = transport_.https;
  ASSERT_THAT(tags("localhost:5000"), HasCode(Errc::unavailable));
  transport_.http = [] { return 200; };
  EXPECT_THAT(tags("localhost:5000"), IsOk());
}

TEST_F(HubTest, ManyThreadsProbeOnce) {
  open();
  speaks_no_tls();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] { EXPECT_THAT(tags("localhost:5000"), IsOk()); });
    }
  }
  EXPECT_EQ(transport_.asked().size(), 10U);
}

// S426
TEST_F(HubTest, WhatIsSaidOfLoopbackWithoutAWordOfTlsLeavesTheChoice) {
  const auto asked = [&](const std::string& entry) {
    const std::size_t before = transport_.asked().size();
    open({}, "[registry.\"localhost:5000\"]\n" + entry + "\n");
    speaks_no_tls();
    (void)tags("localhost:5000");
    return transport_.asked().size() - before;
  };
  EXPECT_EQ(asked("acr = false"), 3U);  // TLS, plain http, the tags
  EXPECT_EQ(asked("plain_http = false"), 1U);
  EXPECT_EQ(asked("insecure_skip_verify = true"), 1U);
}

TEST_F(HubTest, OtherHostsAreNeverTriedWithoutTls) {
  open();
  speaks_no_tls();
  EXPECT_THAT(tags("registry.test:5000"), HasCode(Errc::untrusted));
  EXPECT_EQ(transport_.asked().size(), 1U);
}

TEST_F(HubTest, HostsThatAreNamedForPlainHttpAreNotProbed) {
  open({"registry.test:5000"}, "[registry.\"other.test\"]\nplain_http = true\n");
  ASSERT_THAT(tags("registry.test:5000"), IsOk());
  ASSERT_THAT(tags("other.test"), IsOk());
  EXPECT_THAT(transport_.asked(),
              ElementsAre(::testing::StartsWith("GET http://registry.test:5000/v2/a/"),
                          ::testing::StartsWith("GET http://other.test/v2/a/")));
  EXPECT_THAT(hub_->known_registries(), ElementsAre("other.test", "registry.test:5000"));
  ASSERT_THAT(tags("Other.Test"), IsOk());
  EXPECT_THAT(transport_.asked().back(), ::testing::StartsWith("GET http://"));
}

// S413
TEST_F(HubTest, APasswordThatIsNamedIsStrongerThanTheConfigurationsWhichElseStays) {
  const std::string config =
      "[registry.\"example.com\"]\nclient_cert_file = \"/c\"\nclient_key_password_file = \"/p\"\n";
  const auto used = [&](http::ConnectionOptions named) {
    open({}, config, std::move(named));
    EXPECT_THAT(tags("example.com"), IsOk());
    return transport_.connection();
  };
  EXPECT_EQ(used({.client_key_file = "/key"}).client_key_file, "/key");
  const auto certificate = used({.client_cert_file = "/mine"});
  EXPECT_EQ(certificate.client_cert_file, "/mine");
  EXPECT_EQ(certificate.client_key_password_file, "/p");
  const auto file = used({.client_key_password_file = "/other"});
  EXPECT_EQ(file.client_cert_file, "/c");
  EXPECT_EQ(file.client_key_password_file, "/other");
  const auto password = used({.client_key_password = Secret("sesame")});
  EXPECT_EQ(password.client_key_password, Secret("sesame"));
  EXPECT_EQ(password.client_key_password_file, "");
}

TEST_F(HubTest, DockerHubIsAskedAtItsOwnHost) {
  open();
  ASSERT_THAT(tags("docker.io"), IsOk());
  EXPECT_THAT(transport_.asked(),
              ElementsAre(::testing::StartsWith("GET https://registry-1.docker.io/v2/a/")));
}

TEST_F(HubTest, OpensALayoutByItsPrefix) {
  open();
  folder_.write("layout/oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  folder_.write("layout/index.json", R"({"schemaVersion":2,"manifests":[]})");
  auto source = hub_->source("oci:" + (folder_ / "layout").string());
  ASSERT_THAT(source, IsOk());
  EXPECT_THAT((*source)->list_tags("", "", Context()), IsOk());
}

}  // namespace
}  // namespace berth::test
