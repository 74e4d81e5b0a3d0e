// SPDX-License-Identifier: Apache-2.0
#include "berth/crypto/certificate.hpp"

#include <algorithm>
#include <ctime>
#include <new>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::crypto {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* pointer) const noexcept {
    Free(pointer);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Reader = std::unique_ptr<BIO, Deleter<BIO_free>>;
using Certificates = std::vector<Certificate>;

constexpr int kLeastBits = 2048;

struct Parts {
  Key key;
  Certificates certificates;
};

Error invalid(std::string what) {
  ::ERR_clear_error();
  return {Errc::invalid_argument, std::move(what)};
}

Reader reader_of(std::string_view bytes) {
  Reader reader(::BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  if (reader == nullptr) throw std::bad_alloc();
  return reader;
}

/// OpenSSL would else ask on the terminal.
int give_password(char* buffer, int size, int /*for_writing*/, void* user) {
  const std::string& password = static_cast<const Secret*>(user)->reveal();
  if (password.size() > static_cast<std::size_t>(size)) return -1;
  std::ranges::copy(password, buffer);
  return static_cast<int>(password.size());
}

Result<Parts> read_pem(std::string_view file, const Secret& password) {
  Parts parts;
  const Reader keys = reader_of(file);
  parts.key.reset(::PEM_read_bio_PrivateKey(keys.get(), nullptr, give_password,
                                            const_cast<Secret*>(&password)));
  if (parts.key == nullptr) {
    const bool encrypted = file.find("ENCRYPTED") != std::string_view::npos;
    return invalid(encrypted ? "its private key is encrypted, and the password is wrong or missing"
                             : "it holds no private key that can be read");
  }
  const Reader certificates = reader_of(file);
  while (X509* next = ::PEM_read_bio_X509(certificates.get(), nullptr, give_password,
                                          const_cast<Secret*>(&password))) {
    parts.certificates.emplace_back(next);
  }
  ::ERR_clear_error();  // the end of the file is one
  return parts;
}

Result<Parts> read_pkcs12(std::string_view file, const Secret& password) {
  const Reader reader = reader_of(file);
  const std::unique_ptr<PKCS12, Deleter<PKCS12_free>> sealed(
      ::d2i_PKCS12_bio(reader.get(), nullptr));
  if (sealed == nullptr) return invalid("it is neither PEM nor PKCS#12");
  EVP_PKEY* key = nullptr;
  X509* own = nullptr;
  STACK_OF(X509)* others = nullptr;
  if (::PKCS12_parse(sealed.get(), password.reveal().c_str(), &key, &own, &others) != 1) {
    return invalid("the password of this PKCS#12 file is wrong or missing");
  }
  Parts parts{.key = Key(key), .certificates = {}};
  if (own != nullptr) parts.certificates.emplace_back(own);
  while (others != nullptr && sk_X509_num(others) > 0) {
    parts.certificates.emplace_back(sk_X509_shift(others));
  }
  sk_X509_free(others);
  if (parts.key == nullptr) return invalid("this PKCS#12 file holds no private key");
  return parts;
}

Bytes der_of(X509* certificate) {
  unsigned char* der = nullptr;
  const int size = ::i2d_X509(certificate, &der);
  if (size < 0) throw std::bad_alloc();
  const auto* begin = reinterpret_cast<const std::byte*>(der);
  Bytes bytes(begin, begin + size);
  ::OPENSSL_free(der);
  return bytes;
}

long long seconds_of(const ASN1_TIME* time) {
  std::tm fields{};
  if (::ASN1_TIME_to_tm(time, &fields) != 1) return 0;
  return ::timegm(&fields);
}

/// From the signer's to the root's, whatever order the file has; what is no issuer is left out.
Certificates in_order(Certificates all, EVP_PKEY* key) {
  Certificates chain;
  const auto take = [&](auto fits) {
    const auto found = std::ranges::find_if(all, fits);
    if (found == all.end()) return false;
    chain.push_back(std::move(*found));
    all.erase(found);
    return true;
  };
  bool more =
      take([&](const Certificate& c) { return ::X509_check_private_key(c.get(), key) == 1; });
  while (more) {
    more = take([&](const Certificate& c) {
      return ::X509_check_issued(c.get(), chain.back().get()) == X509_V_OK;
    });
  }
  ::ERR_clear_error();
  return chain;
}

Result<Bytes> sign(EVP_PKEY* key, std::string_view message, bool (*pad)(EVP_PKEY_CTX*)) {
  const std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>> context(::EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  std::size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
  const bool begun =
      context != nullptr &&
      ::EVP_DigestSignInit(context.get(), &options, ::EVP_sha256(), nullptr, key) == 1 &&
      pad(options) && ::EVP_DigestSign(context.get(), nullptr, &size, bytes, message.size()) == 1;
  Bytes signature(size);
  if (!begun || ::EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()),
                                 &size, bytes, message.size()) != 1) {
    ::ERR_clear_error();
    return Error(Errc::internal, "OpenSSL could not sign with this key");
  }
  signature.resize(size);
  return signature;
}

}  // namespace

struct SigningCertificate::Impl {
  Key key;
  std::vector<Bytes> chain;
  long long not_before = 0;
  long long not_after = 0;
};

Bytes sha256(ByteView message) {
  Bytes out(32);
  unsigned size = 0;
  if (::EVP_Digest(message.data(), message.size(), reinterpret_cast<unsigned char*>(out.data()),
                   &size, ::EVP_sha256(), nullptr) != 1) {
    throw std::bad_alloc();
  }
  return out;
}

Result<std::string> thumbprint(std::string_view pem) {
  const Reader reader = reader_of(pem);
  const Certificate certificate(::PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) return invalid("not a certificate in PEM");
  Bytes print(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  if (::X509_digest(certificate.get(), ::EVP_sha1(), reinterpret_cast<unsigned char*>(print.data()),
                    &size) != 1) {
    return invalid("OpenSSL has no SHA-1 here, by which this certificate is named");
  }
  print.resize(size);
  return text::to_hex(print);
}

Result<SigningCertificate> SigningCertificate::load(std::string_view file, const Secret& password) {
  const bool pem = file.find("-----BEGIN ") != std::string_view::npos;
  Parts parts = TRY(pem ? read_pem(file, password) : read_pkcs12(file, password));
  if (::EVP_PKEY_get_base_id(parts.key.get()) != EVP_PKEY_RSA ||
      ::EVP_PKEY_get_bits(parts.key.get()) < kLeastBits) {
    return invalid("its key is no RSA key of at least 2048 bits");
  }
  if (parts.certificates.empty()) return invalid("it holds no certificate");
  const Certificates chain = in_order(std::move(parts.certificates), parts.key.get());
  if (chain.empty()) return invalid("none of its certificates is that of its private key");
  auto impl = std::make_shared<Impl>();
  impl->key = std::move(parts.key);
  for (const Certificate& one : chain) impl->chain.push_back(der_of(one.get()));
  impl->not_before = seconds_of(::X509_get0_notBefore(chain.front().get()));
  impl->not_after = seconds_of(::X509_get0_notAfter(chain.front().get()));
  return SigningCertificate(std::move(impl));
}

Result<Bytes> SigningCertificate::sign_ps256(std::string_view message) const {
  return sign(impl_->key.get(), message, [](EVP_PKEY_CTX* options) {
    return ::EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
           ::EVP_PKEY_CTX_set_rsa_mgf1_md(options, ::EVP_sha256()) == 1 &&
           ::EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
  });
}

Result<Bytes> SigningCertificate::sign_rs256(std::string_view message) const {
  return sign(impl_->key.get(), message, [](EVP_PKEY_CTX* options) {
    return ::EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PADDING) == 1;
  });
}

Result<Bytes> SigningCertificate::thumbprint() const {
  const Bytes& der = impl_->chain.front();
  Bytes print(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  if (::EVP_Digest(der.data(), der.size(), reinterpret_cast<unsigned char*>(print.data()), &size,
                   ::EVP_sha1(), nullptr) != 1) {
    return invalid("OpenSSL has no SHA-1 here, by which this certificate is named");
  }
  print.resize(size);
  return print;
}

const std::vector<Bytes>& SigningCertificate::chain() const noexcept { return impl_->chain; }
long long SigningCertificate::not_before() const noexcept { return impl_->not_before; }
long long SigningCertificate::not_after() const noexcept { return impl_->not_after; }

SigningCertificate::SigningCertificate(std::shared_ptr<const Impl> impl)
    : impl_(std::move(impl)) {}

}  // namespace berth::crypto
