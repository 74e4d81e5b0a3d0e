// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "support/temp_dir.hpp"

namespace berth::test {

/// A certificate authority made for one test, with a server's and a client's certificate signed by
/// it, as PEM files that servers and clients under test are pointed at. Several servers may share
/// one.
class TlsCertificates {
 public:
  struct Options {
    std::vector<std::string> dns_names{"localhost"};
    std::vector<std::string> addresses{"127.0.0.1", "127.0.0.2", "::1"};
    std::string authority = "berth test CA";
    bool expired = false;  ///< the server's certificate ended yesterday
  };
  TlsCertificates()
      : TlsCertificates(Options{}) {}
  explicit TlsCertificates(const Options& options);

  std::filesystem::path ca_file() const { return dir_ / "ca.pem"; }
  std::filesystem::path server_cert() const { return dir_ / "server.pem"; }
  std::filesystem::path server_key() const { return dir_ / "server.key"; }
  std::filesystem::path client_cert() const { return dir_ / "client.pem"; }
  std::filesystem::path client_key() const { return dir_ / "client.key"; }
  /// The same key, and both in one PKCS#12 file, encrypted with kPassword.
  std::filesystem::path encrypted_client_key() const { return dir_ / "client.encrypted.key"; }
  std::filesystem::path client_pkcs12() const { return dir_ / "client.p12"; }
  static constexpr const char* kPassword = "open: sesame";

 private:
  TempDir dir_;
};

}  // namespace berth::test
