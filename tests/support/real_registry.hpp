// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "support/child_process.hpp"
#include "support/temp_dir.hpp"
#include "support/test_client.hpp"
#include "support/tls_certificates.hpp"

namespace berth::test {

/// Debian's docker-registry on loopback, with its storage in a temporary folder and deletion
/// enabled. Killed when this goes; see ChildProcess for the thread to start it from. The user of
/// htpasswd and token registries is alice with the password wonder.
class RealRegistry {
 public:
  enum class Kind : unsigned char { plain, tls, htpasswd, token };

  static bool is_available() { return is_installed("docker-registry"); }

  /// Returns once it answers; throws std::runtime_error with its output when it does not.
  /// `token_options`: for tests/integration/tokensrv.py, "--anonymous" for example.
  /// `relative_urls`: its Locations are paths, and not whole URLs.
  explicit RealRegistry(Kind kind = Kind::plain, std::vector<std::string> token_options = {},
                        bool relative_urls = false);
  ~RealRegistry();

  Kind kind() const noexcept { return kind_; }
  std::string host() const { return "127.0.0.1:" + port_; }
  std::string origin() const;
  std::filesystem::path ca_file() const;  ///< of the TLS kind; "" else
  const std::filesystem::path& folder() const noexcept { return dir_.path(); }

  /// kill -9, and back on the same port with the same storage.
  void kill();
  void restart();

  /// A client that may read and write these repositories.
  TestClient client(const std::vector<std::string>& repositories) const;
  /// What the token server printed: a line for each request.
  std::string token_log() const;

 private:
  void start_token_server(std::vector<std::string> options);
  void write_config() const;
  void start();

  TempDir dir_;
  Kind kind_;
  bool relative_urls_;
  std::string port_ = "0";
  std::string token_port_;
  std::unique_ptr<TlsCertificates> tls_;
  std::unique_ptr<ChildProcess> token_server_;
  std::unique_ptr<ChildProcess> process_;
};

/// A token from a token server, as alice, for all of these repositories.
std::string fetch_token(const std::string& origin, const std::string& service,
                        const std::vector<std::string>& repositories);

/// "Authorization: Basic ..." of alice.
HttpFields alice_basic();

}  // namespace berth::test
