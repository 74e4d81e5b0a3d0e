// SPDX-License-Identifier: Apache-2.0
#include "auth/assertion.hpp"

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/crypto/crypto.hpp"
#include "berth/json/writer.hpp"

namespace berth::auth {
namespace {

constexpr std::int64_t kLifetime = 600;

std::string part(const json::Node& node) {
  const std::string text = node.to_text();
  return text::to_base64url(as_bytes(text));
}

/// A UUID of version 4 (RFC 9562 section 5.4).
Result<std::string> new_id() {
  Bytes random = TRY(crypto::random_bytes(16));
  random[6] = (random[6] & std::byte{0x0f}) | std::byte{0x40};
  random[8] = (random[8] & std::byte{0x3f}) | std::byte{0x80};
  const std::string hex = text::to_hex(random);
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4),
                     hex.substr(16, 4), hex.substr(20));
}

}  // namespace

Result<Secret> make_assertion(const crypto::SigningCertificate& certificate,
                              const AssertionClaims& claims) {
  json::Node header = json::Node::object();
  header.set("alg", claims.adfs ? "RS256" : "PS256");
  header.set("typ", "JWT");
  if (claims.adfs) {
    header.set("x5t", text::to_base64url(TRY(certificate.thumbprint())));
  } else {
    header.set("x5t#S256", text::to_base64url(crypto::sha256(certificate.chain().front())));
  }
  if (claims.send_chain) {
    json::Node chain = json::Node::array();
    for (const Bytes& der : certificate.chain()) chain.push_back(text::to_base64(der));
    header.set("x5c", std::move(chain));
  }
  const std::int64_t now = std::chrono::system_clock::to_time_t(claims.now);
  json::Node payload = json::Node::object();
  payload.set("aud", claims.audience);
  payload.set("iss", claims.client_id);
  payload.set("sub", claims.client_id);
  payload.set("jti", TRY(new_id()));
  payload.set("nbf", now);
  payload.set("iat", now);
  payload.set("exp", now + kLifetime);
  const std::string signed_text = part(header) + "." + part(payload);
  const Bytes signature = claims.adfs ? TRY(certificate.sign_rs256(signed_text))
                                      : TRY(certificate.sign_ps256(signed_text));
  return Secret(signed_text + "." + text::to_base64url(signature));
}

}  // namespace berth::auth
