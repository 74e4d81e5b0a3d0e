// SPDX-License-Identifier: Apache-2.0
// HTTP/2, by nginx in front of a real registry: for metadata where it is switched on, never for the
// bodies of blobs.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "berth/base/fd.hpp"
#include "berth/http/transport.hpp"

#include "support/fake_registry.hpp"
#include "support/matchers.hpp"
#include "support/real_registry.hpp"
#include "support/registry_rig.hpp"
#include "support/tls_certificates.hpp"

namespace berth::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t kMiB = 1024 * 1024;

std::string free_port() {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket.get(), any, size) != 0 || ::getsockname(socket.get(), any, &size) != 0) {
    throw std::runtime_error("no free port");
  }
  return std::to_string(ntohs(address.sin_port));
}

/// nginx on loopback with TLS and HTTP/2: a registry below /v2/, files of its folder else.
class Nginx {
 public:
  explicit Nginx(const std::string& registry) {
    // Somebody may take the port between the look for it and nginx's start.
    for (int i = 0; i < 5 && !start(registry); ++i) {
    }
    if (port_.empty()) throw std::runtime_error("nginx: " + process_->output());
  }

  std::string origin() const { return "https://127.0.0.1:" + port_; }
  std::string ca_file() const { return tls_.ca_file(); }
  void write(const std::string& name, const std::string& content) const {
    dir_.write("www/" + name, content);
  }
  /// "HTTP/2.0 GET /v2/", a line for each request that has ended.
  std::string log() const { return read_file(dir_ / "access.log", kMiB).value_or(""); }

 private:
  bool start(const std::string& registry) {
    const std::string port = free_port();
    const std::string folder = dir_.path();
    std::string temporary;
    for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
      temporary += std::string(kind) + "_temp_path " + folder + "/" + kind + ";\n";
    }
    // One process, so that nothing is left when it is killed.
    dir_.write("nginx.conf",
               "daemon off; master_process off; pid " + folder +
                   "/pid; error_log stderr notice;\nevents {}\nhttp {\n" + temporary +
                   "log_format short '$server_protocol $request_method $uri';\naccess_log " +
                   folder + "/access.log short;\nserver {\nlisten 127.0.0.1:" + port +
                   " ssl http2;\nssl_certificate " + tls_.server_cert().string() +
                   ";\nssl_certificate_key " + tls_.server_key().string() +
                   ";\nlocation / { root " + folder + "/www; }\nlocation /v2/ { proxy_pass " +
                   registry + "; proxy_set_header Host $http_host; }\n}\n}\n");
    process_ = std::make_unique<ChildProcess>(std::vector<std::string>{
        "nginx", "-p", folder, "-e", "stderr", "-c", (dir_ / "nginx.conf").string()});
    // It listens before it says which system it runs on.
    if (!process_->wait_for_line("OS: Linux")) return false;
    port_ = port;
    return true;
  }

  TempDir dir_;
  TlsCertificates tls_;
  std::string port_;
  std::unique_ptr<ChildProcess> process_;
};

class Http2Test : public ::testing::Test {
 protected:
  RegistryRig rig(bool http2) const {
    RegistryRigOptions options;
    options.ca_file = nginx_.ca_file();
    options.http2 = http2;
    return RegistryRig({nginx_.origin()}, std::move(options));
  }
  http::Request request(const std::string& path) const {
    http::ConnectionOptions connection;
    connection.ca_file = nginx_.ca_file();
    connection.http2 = true;
    http::Request request;
    request.url = *http::Url::parse(nginx_.origin() + path);
    request.connection = std::make_shared<const http::ConnectionOptions>(connection);
    return request;
  }

  RealRegistry registry_;
  Nginx nginx_{registry_.origin()};
  Context context_ = Context().with_timeout(std::chrono::seconds(60));
};

TEST_F(Http2Test, IsForMetadataAndBlobsKeepToHttp1) {
  const std::string layer = pattern_bytes(3 * kMiB);
  const TestClient pusher = registry_.client({"a"});
  const Digest blob = *Digest::parse(pusher.push_blob("a", layer));
  const std::string type = "application/vnd.oci.image.manifest.v1+json";
  pusher.push_manifest("a", "v1",
                       R"({"schemaVersion":2,"mediaType":")" + type +
                           R"(","config":{"mediaType":"x/y","digest":")" + blob.text() +
                           R"(","size":3145728},"layers":[]})",
                       type);
  RegistryRig client = rig(true);
  // Twice, so that each finds a connection of the other's protocol open.
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(client->get_manifest("a", "v1", context_), IsOk());
    EXPECT_THAT(client->list_tags("a", "", context_), IsOk());
    const auto stream = client->get_blob("a", blob, 0, std::nullopt, context_);
    ASSERT_THAT(stream, IsOk());
    EXPECT_THAT(http::read_all(*stream->body, 4 * kMiB, context_), IsOkAndHolds(layer));
  }
  const std::string log = nginx_.log();
  EXPECT_THAT(log, HasSubstr("HTTP/2.0 GET /v2/a/manifests/v1"));
  EXPECT_THAT(log, HasSubstr("HTTP/2.0 GET /v2/a/tags/list"));
  EXPECT_THAT(log, HasSubstr("HTTP/1.1 GET /v2/a/blobs/"));
  EXPECT_THAT(log, Not(HasSubstr("HTTP/2.0 GET /v2/a/blobs/")));
  EXPECT_THAT(log, Not(HasSubstr("HTTP/1.1 GET /v2/a/tags/")));
}

TEST_F(Http2Test, IsOffUnlessItIsAskedFor) {
  RegistryRig client = rig(false);
  EXPECT_THAT(client->ping(context_), IsOk());
  EXPECT_THAT(nginx_.log(), Not(HasSubstr("HTTP/2.0")));
}

TEST_F(Http2Test, ABodyThatIsHeldBackGoesOn) {
  const std::string large = pattern_bytes(40 * kMiB);
  nginx_.write("large", large);
  nginx_.write("small", "small");
  const auto transport = http::make_curl_transport({.use_proxy_environment = false});
  const auto held = transport->send(request("/large"), context_);
  ASSERT_THAT(held, IsOk());
  const auto first = held->body->next(context_);
  ASSERT_THAT(first, IsOk());
  std::string got(as_text(*first));
  // More is under way than the reader's queue holds, so the sender is held back by now, or soon;
  // another request must not wait for a reader who does not come.
  const auto other = transport->send(request("/small"), context_);
  ASSERT_THAT(other, IsOk());
  EXPECT_THAT(http::read_all(*other->body, 100, context_), IsOkAndHolds("small"));
  const auto rest = http::read_all(*held->body, large.size(), context_);
  ASSERT_THAT(rest, IsOk());
  EXPECT_TRUE(got + *rest == large);
  EXPECT_THAT(nginx_.log(), HasSubstr("HTTP/2.0 GET /large"));
  EXPECT_THAT(nginx_.log(), HasSubstr("HTTP/2.0 GET /small"));
}

}  // namespace
}  // namespace berth::test
