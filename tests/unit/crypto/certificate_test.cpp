// SPDX-License-Identifier: Apache-2.0
#include "berth/crypto/certificate.hpp"

#include <fstream>
#include <iterator>

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "berth/base/text.hpp"

#include "support/app_certificate.hpp"
#include "support/matchers.hpp"

namespace berth::crypto {
namespace {

using test::HasCode;
using test::IsOk;

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool verifies(const Bytes& der, std::string_view message, const Bytes& signature, int salt) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  X509* certificate = ::d2i_X509(nullptr, &at, static_cast<long>(der.size()));
  EVP_PKEY* key = ::X509_get_pubkey(certificate);
  EVP_MD_CTX* context = ::EVP_MD_CTX_new();
  EVP_PKEY_CTX* options = nullptr;
  const bool good =
      ::EVP_DigestVerifyInit(context, &options, ::EVP_sha256(), nullptr, key) == 1 &&
      ::EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
      ::EVP_PKEY_CTX_set_rsa_pss_saltlen(options, salt) == 1 &&
      ::EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature.data()),
                         signature.size(), reinterpret_cast<const unsigned char*>(message.data()),
                         message.size()) == 1;
  ::EVP_MD_CTX_free(context);
  ::EVP_PKEY_free(key);
  ::X509_free(certificate);
  return good;
}

TEST(Sha256Test, ComputesTheVectorOfFips180) {
  EXPECT_EQ(text::to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(ThumbprintTest, IsSha1OfTheDer) {
  const test::AppCertificate app;
  const std::string pem = text_of(app.certificate_only());
  const auto certificate = SigningCertificate::load(text_of(app.pem()), Secret())->chain().front();
  unsigned char expected[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  ::EVP_Digest(certificate.data(), certificate.size(), expected, &size, ::EVP_sha1(), nullptr);
  EXPECT_THAT(thumbprint(pem),
              test::IsOkAndHolds(text::to_hex(std::as_bytes(std::span(expected, size)))));
  EXPECT_THAT(thumbprint("-----BEGIN"), HasCode(Errc::invalid_argument));
}

TEST(SigningCertificateTest, SignsAsPs256) {
  const test::AppCertificate app;
  for (const auto& [path, password] :
       {std::pair{app.pem(), ""}, std::pair{app.encrypted_pem(), "open sesame"},
        std::pair{app.pkcs12(), "open sesame"}}) {
    const auto certificate = SigningCertificate::load(text_of(path), Secret(password));
    ASSERT_THAT(certificate, IsOk()) << path;
    const auto signature = certificate->sign_ps256("header.payload");
    ASSERT_THAT(signature, IsOk());
    EXPECT_TRUE(verifies(certificate->chain().front(), "header.payload", *signature, 32));
    EXPECT_FALSE(verifies(certificate->chain().front(), "header.payl0ad", *signature, 32));
    EXPECT_FALSE(verifies(certificate->chain().front(), "header.payload", *signature, 0));
    const auto older = certificate->sign_rs256("header.payload");
    ASSERT_THAT(older, IsOk());
    EXPECT_FALSE(verifies(certificate->chain().front(), "header.payload", *older, 32));
    EXPECT_EQ(certificate->not_before(), 1'735'689'600);
    EXPECT_EQ(certificate->not_after(), 1'893'456'000);
  }
  EXPECT_EQ(SigningCertificate::load(text_of(app.pem()), Secret())->chain().size(), 2U);
  EXPECT_EQ(
      SigningCertificate::load(text_of(app.encrypted_pem()), Secret("open sesame"))->chain().size(),
      1U);
}

TEST(SigningCertificateTest, RefusesWhatCannotSign) {
  const test::AppCertificate app;
  const test::AppCertificate weak({.bits = 1024});
  const test::AppCertificate other;
  for (const std::string& file :
       {std::string(), std::string("-----BEGIN nonsense"), text_of(app.key_only()),
        text_of(app.certificate_only()), text_of(weak.pem()),
        text_of(app.key_only()) + text_of(other.certificate_only()),
        text_of(app.pkcs12()).substr(0, 500)}) {
    EXPECT_THAT(SigningCertificate::load(file, Secret("open sesame")),
                HasCode(Errc::invalid_argument));
  }
  EXPECT_THAT(SigningCertificate::load(text_of(app.pkcs12()), Secret("no")),
              HasCode(Errc::invalid_argument));
  EXPECT_THAT(SigningCertificate::load(text_of(app.encrypted_pem()), Secret()),
              HasCode(Errc::invalid_argument));
}

}  // namespace
}  // namespace berth::crypto
