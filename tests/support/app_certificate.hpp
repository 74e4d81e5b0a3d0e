// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "support/temp_dir.hpp"

namespace berth::test {

/// The certificate of an application at Entra ID: an RSA key, its certificate, and the authority
/// that signed it, in every form that such files have.
class AppCertificate {
 public:
  struct Options {
    std::int64_t not_before = 1'735'689'600;  ///< 2025-01-01
    std::int64_t not_after = 1'893'456'000;   ///< 2030-01-01
    int bits = 2048;
    std::string password = "open sesame";  ///< of the encrypted forms
  };
  AppCertificate()
      : AppCertificate(Options{}) {}
  explicit AppCertificate(const Options& options);

  std::filesystem::path pem() const { return dir_ / "app.pem"; }  ///< CA, key, certificate
  std::filesystem::path encrypted_pem() const { return dir_ / "encrypted.pem"; }
  std::filesystem::path pkcs12() const { return dir_ / "app.pfx"; }
  std::filesystem::path key_only() const { return dir_ / "key.pem"; }
  std::filesystem::path certificate_only() const { return dir_ / "certificate.pem"; }

 private:
  TempDir dir_;
};

}  // namespace berth::test
