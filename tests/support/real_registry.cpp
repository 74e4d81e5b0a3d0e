// SPDX-License-Identifier: Apache-2.0
#include "support/real_registry.hpp"

#include <cctype>
#include <fstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace berth::test {
namespace {

// alice:wonder, by `htpasswd -Bbn`: docker-registry takes bcrypt alone.
constexpr const char* kHtpasswd =
    "alice:$2y$05$GbfxafNZFLKKwmvOh4EkBeTzj2k2mqFnh348oJMW45330F3CsY9oa\n";

std::string digits_of(const std::string& text) {
  std::size_t end = 0;
  while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
  return text.substr(0, end);
}

}  // namespace

RealRegistry::RealRegistry(Kind kind, std::vector<std::string> token_options, bool relative_urls)
    : kind_(kind),
      relative_urls_(relative_urls) {
  if (kind == Kind::tls) tls_ = std::make_unique<TlsCertificates>();
  if (kind == Kind::htpasswd) dir_.write("htpasswd", kHtpasswd);
  if (kind == Kind::token) start_token_server(std::move(token_options));
  start();
}

RealRegistry::~RealRegistry() = default;

std::string RealRegistry::origin() const {
  return (kind_ == Kind::tls ? "https://" : "http://") + host();
}

std::filesystem::path RealRegistry::ca_file() const {
  return tls_ != nullptr ? tls_->ca_file() : std::filesystem::path();
}

void RealRegistry::start_token_server(std::vector<std::string> options) {
  std::vector<std::string> argv{"python3", BERTH_TEST_TOKEN_SERVER, "0", "--folder",
                                dir_.path().string()};
  argv.insert(argv.end(), options.begin(), options.end());
  token_server_ = std::make_unique<ChildProcess>(std::move(argv));
  const auto port = token_server_->wait_for_line("port ");
  if (!port) throw std::runtime_error("the token server: " + token_server_->output());
  token_port_ = *port;
}

void RealRegistry::write_config() const {
  const std::string folder = dir_.path().string();
  std::ofstream out(dir_ / "registry.yml");
  out << "version: 0.1\n"
      << "log: {level: info, accesslog: {disabled: true}}\n"
      << "storage: {filesystem: {rootdirectory: " << folder << "/data}, delete: {enabled: true}}\n"
      << "http:\n  addr: 127.0.0.1:" << port_ << "\n  secret: test\n";
  if (relative_urls_) out << "  relativeurls: true\n";
  if (kind_ == Kind::tls) {
    out << "  tls: {certificate: " << tls_->server_cert().string()
        << ", key: " << tls_->server_key().string() << "}\n";
  } else if (kind_ == Kind::htpasswd) {
    out << "auth: {htpasswd: {realm: testrealm, path: " << folder << "/htpasswd}}\n";
  } else if (kind_ == Kind::token) {
    out << "auth: {token: {realm: 'http://127.0.0.1:" << token_port_
        << "/token', service: test-service, issuer: test-issuer, rootcertbundle: " << folder
        << "/cert.pem}}\n";
  }
}

void RealRegistry::start() {
  write_config();
  process_ = std::make_unique<ChildProcess>(
      std::vector<std::string>{"docker-registry", "serve", dir_ / "registry.yml"});
  // It listens before it says so: whoever connects now is answered.
  const auto address = process_->wait_for_line("listening on 127.0.0.1:");
  if (!address) throw std::runtime_error("docker-registry: " + process_->output());
  port_ = digits_of(*address);
}

void RealRegistry::kill() { process_->kill(); }

void RealRegistry::restart() {
  process_.reset();
  start();
}

TestClient RealRegistry::client(const std::vector<std::string>& repositories) const {
  TestClientOptions options;
  options.ca_file = ca_file();
  if (kind_ == Kind::htpasswd) options.headers = alice_basic();
  if (kind_ == Kind::token) {
    const std::string token =
        fetch_token("http://127.0.0.1:" + token_port_, "test-service", repositories);
    options.headers = {{"Authorization", "Bearer " + token}};
  }
  return TestClient(origin(), options);
}

std::string RealRegistry::token_log() const {
  return token_server_ != nullptr ? token_server_->output() : std::string();
}

std::string fetch_token(const std::string& origin, const std::string& service,
                        const std::vector<std::string>& repositories) {
  std::string target = "/token?service=" + service + "&scope=registry:catalog:*";
  for (const auto& repository : repositories) {
    target += "&scope=repository:" + repository + ":pull,push,delete";
  }
  const TestReply reply = TestClient(origin).get(target, alice_basic());
  if (reply.status != 200) throw std::runtime_error("no token: " + reply.body);
  const auto answer = nlohmann::json::parse(reply.body);
  return answer.contains("token") ? answer["token"] : answer["access_token"];
}

HttpFields alice_basic() { return {{"Authorization", "Basic YWxpY2U6d29uZGVy"}}; }

}  // namespace berth::test
