// SPDX-License-Identifier: Apache-2.0
#include "support/app_certificate.hpp"

#include <memory>
#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

namespace berth::test {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using File = std::unique_ptr<FILE, Deleter<fclose>>;

void require(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("application certificate: ") + what);
}

File open_for_writing(const std::filesystem::path& path) {
  File file(std::fopen(path.c_str(), "we"));
  require(file != nullptr, "cannot write a file");
  return file;
}

Certificate draft(EVP_PKEY* key, const char* name, X509* issuer,
                  const AppCertificate::Options& options) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), issuer == nullptr ? 1 : 2);
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()), options.not_before);
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), options.not_after);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(certificate.get(),
                       issuer == nullptr ? subject : X509_get_subject_name(issuer));
  return certificate;
}

}  // namespace

AppCertificate::AppCertificate(const Options& options) {
  const Key ca_key(EVP_EC_gen("P-256"));
  const Certificate ca = draft(ca_key.get(), "application CA", nullptr, options);
  require(X509_sign(ca.get(), ca_key.get(), EVP_sha256()) > 0, "sign");
  const Key key(EVP_RSA_gen(static_cast<unsigned>(options.bits)));
  const Certificate own = draft(key.get(), "application", ca.get(), options);
  require(X509_sign(own.get(), ca_key.get(), EVP_sha256()) > 0, "sign");
  {
    const File file = open_for_writing(pem());
    PEM_write_X509(file.get(), ca.get());
    PEM_write_PrivateKey(file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    PEM_write_X509(file.get(), own.get());
  }
  {
    const File file = open_for_writing(encrypted_pem());
    PEM_write_PKCS8PrivateKey(file.get(), key.get(), EVP_aes_256_cbc(), options.password.data(),
                              static_cast<int>(options.password.size()), nullptr, nullptr);
    PEM_write_X509(file.get(), own.get());
  }
  PEM_write_PrivateKey(open_for_writing(key_only()).get(), key.get(), nullptr, nullptr, 0, nullptr,
                       nullptr);
  PEM_write_X509(open_for_writing(certificate_only()).get(), own.get());
  STACK_OF(X509)* others = sk_X509_new_null();
  sk_X509_push(others, ca.get());
  PKCS12* sealed = PKCS12_create(options.password.c_str(), "application", key.get(), own.get(),
                                 others, 0, 0, 0, 0, 0);
  sk_X509_free(others);
  require(sealed != nullptr, "PKCS#12");
  i2d_PKCS12_fp(open_for_writing(pkcs12()).get(), sealed);
  PKCS12_free(sealed);
}

}  // namespace berth::test
