// SPDX-License-Identifier: Apache-2.0
#include "support/tls_certificates.hpp"

#include <cstring>
#include <memory>
#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

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
  if (!ok) throw std::runtime_error(std::string("test certificates: ") + what);
}

File open_for_writing(const std::filesystem::path& path) {
  File file(std::fopen(path.c_str(), "we"));
  require(file != nullptr, "cannot write a file");
  return file;
}

void write_key(const std::filesystem::path& path, EVP_PKEY* key, const char* password = nullptr) {
  const File file = open_for_writing(path);
  const EVP_CIPHER* cipher = password == nullptr ? nullptr : EVP_aes_256_cbc();
  const auto* bytes = reinterpret_cast<const unsigned char*>(password);
  const int size = password == nullptr ? 0 : static_cast<int>(std::strlen(password));
  require(PEM_write_PrivateKey(file.get(), key, cipher, bytes, size, nullptr, nullptr) == 1, "key");
}

void write_pkcs12(const std::filesystem::path& path, EVP_PKEY* key, X509* certificate,
                  const char* password) {
  const std::unique_ptr<PKCS12, Deleter<PKCS12_free>> both(
      PKCS12_create(password, nullptr, key, certificate, nullptr, 0, 0, 0, 0, 0));
  const File file = open_for_writing(path);
  require(both != nullptr && i2d_PKCS12_fp(file.get(), both.get()) == 1, "PKCS#12");
}

void write_certificate(const std::filesystem::path& path, X509* certificate) {
  const File file = open_for_writing(path);
  require(PEM_write_X509(file.get(), certificate) == 1, "certificate");
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  require(extension != nullptr, "extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

constexpr long kDay = 24L * 60 * 60;

/// Unsigned yet: the caller adds extensions, then signs.
Certificate draft(EVP_PKEY* key, const char* common_name, X509_NAME* issuer, long serial,
                  bool expired) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -2 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), expired ? -kDay : 30 * kDay);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), issuer != nullptr ? issuer : name);
  return certificate;
}

std::string alternative_names(const TlsCertificates::Options& options) {
  std::string names;
  for (const auto& name : options.dns_names) names += (names.empty() ? "" : ",") + ("DNS:" + name);
  for (const auto& ip : options.addresses) names += (names.empty() ? "" : ",") + ("IP:" + ip);
  return names;
}

}  // namespace

TlsCertificates::TlsCertificates(const Options& options) {
  // P-256: a key takes a millisecond, where RSA would take most of a test's time.
  const Key ca_key(EVP_EC_gen("P-256"));
  const Certificate ca = draft(ca_key.get(), options.authority.c_str(), nullptr, 1, false);
  add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash");
  add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  require(X509_sign(ca.get(), ca_key.get(), EVP_sha256()) > 0, "sign");
  write_certificate(ca_file(), ca.get());

  const Key key(EVP_EC_gen("P-256"));
  X509_NAME* issuer = X509_get_subject_name(ca.get());
  const Certificate server = draft(key.get(), "berth test server", issuer, 2, options.expired);
  add_extension(server.get(), ca.get(), NID_subject_alt_name, alternative_names(options));
  add_extension(server.get(), ca.get(), NID_ext_key_usage, "serverAuth");
  require(X509_sign(server.get(), ca_key.get(), EVP_sha256()) > 0, "sign");
  write_certificate(server_cert(), server.get());
  write_key(server_key(), key.get());

  const Key own_key(EVP_EC_gen("P-256"));
  const Certificate client = draft(own_key.get(), "berth test client", issuer, 3, false);
  add_extension(client.get(), ca.get(), NID_ext_key_usage, "clientAuth");
  require(X509_sign(client.get(), ca_key.get(), EVP_sha256()) > 0, "sign");
  write_certificate(client_cert(), client.get());
  write_key(client_key(), own_key.get());
  write_key(encrypted_client_key(), own_key.get(), kPassword);
  write_pkcs12(client_pkcs12(), own_key.get(), client.get(), kPassword);
}

}  // namespace berth::test
