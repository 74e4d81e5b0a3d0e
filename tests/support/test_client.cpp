// SPDX-License-Identifier: Apache-2.0
#include "support/test_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <utility>

#include <openssl/ssl.h>

#include "support/fake_registry.hpp"

namespace berth::test {
namespace {

/// A connection that is read to its end.
class Wire {
 public:
  Wire(const std::string& host, std::uint16_t port, bool tls, const TestClientOptions& options) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host.c_str(), &address.sin_addr);
    live_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    if (live_ && tls) live_ = start_tls(host, options);
  }
  ~Wire() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    ::close(fd_);
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  bool write(std::string_view bytes) {
    while (live_ && !bytes.empty()) {
      const ssize_t put = ssl_ != nullptr
                              ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                              : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return live_;
  }

  std::string read_to_end() {
    std::string all;
    char chunk[64 * 1024];
    while (live_) {
      const ssize_t got = ssl_ != nullptr ? SSL_read(ssl_, chunk, sizeof chunk)
                                          : ::recv(fd_, chunk, sizeof chunk, 0);
      if (got <= 0) break;
      all.append(chunk, static_cast<std::size_t>(got));
    }
    return all;
  }

 private:
  bool start_tls(const std::string& host, const TestClientOptions& options) {
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_load_verify_locations(context_, options.ca_file.c_str(), nullptr);
    if (!options.client_cert.empty()) {
      SSL_CTX_use_certificate_file(context_, options.client_cert.c_str(), SSL_FILETYPE_PEM);
      SSL_CTX_use_PrivateKey_file(context_, options.client_key.c_str(), SSL_FILETYPE_PEM);
    }
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, fd_);
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), host.c_str());
    return SSL_connect(ssl_) == 1;
  }

  int fd_ = -1;
  bool live_ = false;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
};

void decode_chunks(std::string_view raw, TestReply& reply) {
  for (;;) {
    const auto line = raw.find("\r\n");
    if (line == std::string_view::npos) return;
    const std::size_t size = std::stoul(std::string(raw.substr(0, line)), nullptr, 16);
    raw.remove_prefix(line + 2);
    if (size == 0) {
      reply.complete = true;
      return;
    }
    reply.body += raw.substr(0, size);
    if (raw.size() < size + 2) return;
    raw.remove_prefix(size + 2);
  }
}

TestReply parse(std::string_view raw, bool bodiless) {
  TestReply reply;
  while (raw.starts_with("HTTP/1.1 100")) raw.remove_prefix(raw.find("\r\n\r\n") + 4);
  const auto end = raw.find("\r\n\r\n");
  if (end == std::string_view::npos || !raw.starts_with("HTTP/1.1 ")) return reply;
  reply.status = std::stoi(std::string(raw.substr(9, 3)));
  std::string_view head = raw.substr(0, end + 2);
  head.remove_prefix(head.find("\r\n") + 2);
  while (!head.empty()) {
    const auto line_end = head.find("\r\n");
    const std::string_view line = head.substr(0, line_end);
    const auto colon = line.find(": ");
    reply.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    head.remove_prefix(line_end + 2);
  }
  raw.remove_prefix(end + 4);
  if (reply.header("Transfer-Encoding") == "chunked") {
    decode_chunks(raw, reply);
    return reply;
  }
  reply.body = raw;
  const std::string length = reply.header("Content-Length");
  reply.complete = bodiless || length.empty() || reply.body.size() == std::stoull(length);
  return reply;
}

/// Wants `status` or throws what the registry said instead.
void expect(const TestReply& reply, int status, const std::string& what) {
  if (reply.status == status) return;
  throw std::runtime_error(what + ": " + std::to_string(reply.status) + " " + reply.body);
}

}  // namespace

std::string TestReply::header(std::string_view name) const {
  HttpRequest fields;
  fields.headers = headers;
  return fields.header(name);
}

TestClient::TestClient(std::string origin, TestClientOptions options)
    : tls_(origin.starts_with("https://")),
      options_(std::move(options)) {
  const std::string authority = origin.substr(origin.find("//") + 2);
  const auto colon = authority.rfind(':');
  host_ = authority.substr(0, colon);
  port_ = static_cast<std::uint16_t>(std::stoul(authority.substr(colon + 1)));
}

TestReply TestClient::send(const std::string& method, const std::string& target, HttpFields headers,
                           std::string_view body) const {
  // OpenSSL writes without MSG_NOSIGNAL.
  static const bool ignored [[maybe_unused]] = ::signal(SIGPIPE, SIG_IGN) != SIG_ERR;
  std::string head = method + " " + target + " HTTP/1.1\r\nHost: " + host_ + ":" +
                     std::to_string(port_) + "\r\nConnection: close\r\n";
  for (const HttpFields* fields : {&options_.headers, &std::as_const(headers)}) {
    for (const auto& [name, value] : *fields) head += name + ": " + value + "\r\n";
  }
  if (!body.empty() || method == "POST" || method == "PUT" || method == "PATCH") {
    head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  Wire wire(host_, port_, tls_, options_);
  if (!wire.write(head + "\r\n") || !wire.write(body)) return {};
  return parse(wire.read_to_end(), method == "HEAD");
}

std::string TestClient::push_blob(const std::string& repository, const std::string& content,
                                  const char* algorithm) const {
  const std::string digest = digest_text(content, algorithm);
  const TestReply session = send("POST", "/v2/" + repository + "/blobs/uploads/");
  expect(session, 202, "POST of a blob to " + repository);
  std::string location = session.header("Location");
  if (const auto host = location.find("//"); host != std::string::npos) {
    location.erase(0, location.find('/', host + 2));
  }
  location += (location.find('?') == std::string::npos ? "?digest=" : "&digest=") + digest;
  expect(send("PUT", location, {{"Content-Type", "application/octet-stream"}}, content), 201,
         "PUT of a blob to " + repository);
  return digest;
}

std::string TestClient::push_manifest(const std::string& repository, const std::string& reference,
                                      const std::string& content,
                                      const std::string& media_type) const {
  const TestReply reply = send("PUT", "/v2/" + repository + "/manifests/" + reference,
                               {{"Content-Type", media_type}}, content);
  expect(reply, 201, "PUT of manifest " + reference + " to " + repository);
  return digest_text(content);
}

}  // namespace berth::test
