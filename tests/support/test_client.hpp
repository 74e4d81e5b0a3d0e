// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "support/http_server.hpp"

namespace berth::test {

/// What a server said, as it came over the wire.
struct TestReply {
  int status = 0;  ///< 0: no answer that could be read
  HttpFields headers;
  std::string body;
  bool complete = false;  ///< the body was as long as its framing promised
  std::string header(std::string_view name) const;
};

struct TestClientOptions {
  std::filesystem::path ca_file{};  ///< for https
  std::filesystem::path client_cert{};
  std::filesystem::path client_key{};
  HttpFields headers{};  ///< with every request
};

/// The plainest HTTP client there is, for tests to look at servers and to push with: one connection
/// for each request, no redirects, no retries, none of berth's code.
class TestClient {
 public:
  /// `origin`: "http://127.0.0.1:5000". https is verified against `ca_file`.
  explicit TestClient(std::string origin, TestClientOptions options = {});

  TestReply send(const std::string& method, const std::string& target, HttpFields headers = {},
                 std::string_view body = {}) const;
  TestReply get(const std::string& target, HttpFields headers = {}) const {
    return send("GET", target, std::move(headers));
  }

  /// Pushes as distribution-spec says (POST, then PUT); throws std::runtime_error with what the
  /// registry said. Give digests.
  std::string push_blob(const std::string& repository, const std::string& content,
                        const char* algorithm = "sha256") const;
  std::string push_manifest(const std::string& repository, const std::string& reference,
                            const std::string& content, const std::string& media_type) const;

 private:
  std::string host_;
  std::uint16_t port_ = 0;
  bool tls_ = false;
  TestClientOptions options_;
};

}  // namespace berth::test
