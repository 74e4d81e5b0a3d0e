// SPDX-License-Identifier: Apache-2.0
#include "integration/registry_suite.hpp"

#include <algorithm>

#include "support/fake_registry.hpp"
#include "support/real_registry.hpp"

namespace berth::test {
namespace {

using Auth = RegistryBehaviour::Auth;
using Kind = RealRegistry::Kind;

class FakeServer final : public SuiteServer {
 public:
  FakeServer(Auth auth, bool tls)
      : auth_(auth),
        tls_(tls ? std::make_shared<TlsCertificates>() : nullptr),
        // docker-registry 2.8 has no referrers API, and cannot untag.
        fake_({.auth = auth, .referrers_api = false, .tag_delete = false}, {.tls = tls_}) {}

  std::string origin() const override { return fake_.origin(); }
  std::string ca_file() const override { return tls_ != nullptr ? tls_->ca_file().string() : ""; }
  bool wants_credentials() const override { return auth_ != Auth::none; }
  TestClient client(const std::vector<std::string>& repositories) const override {
    TestClientOptions options;
    options.ca_file = ca_file();
    if (auth_ == Auth::basic) options.headers = alice_basic();
    if (auth_ == Auth::bearer) {
      const auto token = fetch_token(fake_.tokens().origin(), "fake-registry", repositories);
      options.headers = {{"Authorization", "Bearer " + token}};
    }
    return TestClient(origin(), options);
  }

 private:
  Auth auth_;
  std::shared_ptr<const TlsCertificates> tls_;
  FakeRegistry fake_;
};

class RealServer final : public SuiteServer {
 public:
  explicit RealServer(Kind kind, bool relative_urls = false)
      : real_(kind, {}, relative_urls) {}

  std::string origin() const override { return real_.origin(); }
  std::string ca_file() const override { return real_.ca_file().string(); }
  bool wants_credentials() const override {
    return real_.kind() == Kind::htpasswd || real_.kind() == Kind::token;
  }
  TestClient client(const std::vector<std::string>& repositories) const override {
    return real_.client(repositories);
  }

 private:
  RealRegistry real_;
};

template <class Server, class... Arguments>
std::function<std::unique_ptr<SuiteServer>()> maker(Arguments... arguments) {
  return [=] { return std::make_unique<Server>(arguments...); };
}

}  // namespace

std::vector<SuiteCase> suite_cases(const std::vector<std::string>& names) {
  std::vector<SuiteCase> cases = {
      {"FakePlain", maker<FakeServer>(Auth::none, false)},
      {"FakeTls", maker<FakeServer>(Auth::none, true)},
      {"FakeBasic", maker<FakeServer>(Auth::basic, false)},
      {"FakeBearer", maker<FakeServer>(Auth::bearer, false)},
      {"RealPlain", maker<RealServer>(Kind::plain)},
      {"RealTls", maker<RealServer>(Kind::tls)},
      {"RealTlsRelative", maker<RealServer>(Kind::tls, true)},
      {"RealHtpasswd", maker<RealServer>(Kind::htpasswd)},
      {"RealToken", maker<RealServer>(Kind::token)},
  };
  std::erase_if(cases, [&](const SuiteCase& one) {
    return !names.empty() && std::ranges::find(names, one.name) == names.end();
  });
  return cases;
}

}  // namespace berth::test
