// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "berth/base/bytes.hpp"
#include "berth/base/result.hpp"
#include "berth/base/secret.hpp"

namespace berth::crypto {

/// SHA-256 (FIPS 180-4), 32 bytes: of names and certificates. Content is hashed by digest/.
Bytes sha256(ByteView message);

/// The thumbprint of a certificate (PEM), SHA-1 of its DER in lower-case hex: what Windows and
/// Azure name certificates by. Errc::invalid_argument for what is none.
Result<std::string> thumbprint(std::string_view pem);

/// An RSA key with its certificate, to sign with. Immutable, so thread safe; cheap to copy.
class SigningCertificate {
 public:
  /// From the text of a PEM file, with a private key (PKCS#8 or PKCS#1, encrypted or not) and one
  /// or more certificates in any order, or from the bytes of a PKCS#12 file. The certificate that
  /// fits the key is the one that signs; the others are its chain. Errors: invalid_argument for
  /// what is neither, for a wrong password, a key that is no RSA key of at least 2048 bits, or one
  /// that no certificate fits.
  static Result<SigningCertificate> load(std::string_view file, const Secret& password);

  /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes: PS256 of RFC 7518 section
  /// 3.5.
  Result<Bytes> sign_ps256(std::string_view message) const;
  /// RSASSA-PKCS1-v1_5 with SHA-256: RS256 of RFC 7518 section 3.3, for who knows nothing newer.
  Result<Bytes> sign_rs256(std::string_view message) const;

  /// SHA-1 of the one that signs. Errc::invalid_argument where OpenSSL has no SHA-1 (FIPS).
  Result<Bytes> thumbprint() const;

  /// DER: the one that signs first, then its issuers as far as the file has them.
  const std::vector<Bytes>& chain() const noexcept;
  /// Of the one that signs, in seconds since 1970.
  long long not_before() const noexcept;
  long long not_after() const noexcept;

 private:
  struct Impl;
  explicit SigningCertificate(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace berth::crypto
