// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/client_credentials.hpp"

#include <fmt/format.h>

#include "berth/base/fd.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/crypto/certificate.hpp"
#include "berth/crypto/crypto.hpp"

#include "auth/assertion.hpp"
#include "auth/authority.hpp"
#include "auth/client_flow.hpp"
#include "auth/identity_rules.hpp"

namespace berth::auth {
namespace {

constexpr const char* kSecret = "ClientSecretCredential";
constexpr const char* kCertificate = "ClientCertificateCredential";
constexpr const char* kAssertion = "ClientAssertionCredential";
constexpr const char* kWorkload = "WorkloadIdentityCredential";
constexpr std::size_t kFileLimit = 1024 * 1024;

/// Tells one secret from another without telling either.
std::string mark_of(const Secret& secret) {
  const Bytes mac = crypto::hmac_sha256(secret, as_bytes("berth: which secret it is"));
  return text::to_hex(ByteView(mac).first(8));
}

/// Not "not found", were the file missing: that would be the registry's word.
Result<std::string> read_named(const std::filesystem::path& path, std::string_view who,
                               std::string_view variable) {
  Result<std::string> text = read_file(path, kFileLimit);
  if (text) return text;
  return identity_failure(who, fmt::format("{} (named by {})", text.error().message(), variable));
}

/// An assertion of a certificate that is not in its time would be refused by a code that could mean
/// many things.
Result<void> check_time(const crypto::SigningCertificate& certificate, const std::string& file,
                        Clock::SystemTime time) {
  const long long now = std::chrono::system_clock::to_time_t(time);
  if (now > certificate.not_after()) {
    return identity_failure(
        kCertificate,
        fmt::format("the certificate in {} expired at {}: renew it, and upload it to the "
                    "application (or set the clock of this machine right: it says {})",
                    file, text::format_rfc3339(certificate.not_after()),
                    text::format_rfc3339(now)));
  }
  if (now < certificate.not_before()) {
    return identity_failure(
        kCertificate,
        fmt::format("the certificate in {} begins at {}, and the clock of this machine says {}: "
                    "set it right",
                    file, text::format_rfc3339(certificate.not_before()),
                    text::format_rfc3339(now)));
  }
  return {};
}

ClientFlow::Proof proof_of(const ClientCertificate& given, const std::string& client_id,
                           Clock* clock) {
  return [given, client_id, clock](const std::string& endpoint, const Context&) -> Result<Secret> {
    const std::string path = given.path.native();
    const std::string file =
        TRY(read_named(given.path, kCertificate, "AZURE_CLIENT_CERTIFICATE_PATH or the options"));
    auto certificate = crypto::SigningCertificate::load(file, given.password);
    if (!certificate) {
      return identity_failure(kCertificate,
                              fmt::format("{}: {}", path, certificate.error().message()));
    }
    TRY(check_time(*certificate, path, clock->now()));
    const AssertionClaims claims{.audience = endpoint,
                                 .client_id = client_id,
                                 .now = clock->now(),
                                 .send_chain = given.send_certificate_chain,
                                 .adfs = is_adfs(endpoint)};
    const Secret assertion = TRY(make_assertion(*certificate, claims));
    return assertion_form(assertion);
  };
}

/// The file is another one's each time: the kubelet renews it.
ClientFlow::Proof proof_of_file(const std::filesystem::path& file) {
  return [file](const std::string&, const Context&) -> Result<Secret> {
    const std::string text = TRY(read_named(file, kWorkload, "AZURE_FEDERATED_TOKEN_FILE"));
    const std::string_view token = text::trim(text);
    if (token.empty()) {
      return identity_failure(
          kWorkload,
          fmt::format("{} (named by AZURE_FEDERATED_TOKEN_FILE) is empty", file.native()));
    }
    return assertion_form(Secret(std::string(token)));
  };
}

}  // namespace

ClientSecretCredential::ClientSecretCredential(Application application, Secret secret,
                                               IdentityOptions options) {
  const std::string mark = mark_of(secret);
  auto proof = [secret = std::move(secret)](const std::string&, const Context&) -> Result<Secret> {
    if (secret.empty()) return Error(Errc::invalid_argument, std::string(kSecret) + ": no secret");
    return Secret("client_secret=" + text::percent_encode(secret.reveal()));
  };
  flow_ = std::make_unique<ClientFlow>(kSecret, std::move(application), mark, std::move(proof),
                                       std::move(options));
}
ClientSecretCredential::~ClientSecretCredential() = default;
std::string ClientSecretCredential::name() const { return flow_->who(); }
std::string ClientSecretCredential::identity_key() const { return flow_->identity_key(); }
Result<AccessToken> ClientSecretCredential::get_token(const TokenRequest& request,
                                                      const Context& context) {
  return flow_->get_token(request, context);
}

ClientCertificateCredential::ClientCertificateCredential(Application application,
                                                         const ClientCertificate& certificate,
                                                         IdentityOptions options) {
  auto proof = proof_of(certificate, application.client_id, options.clock);
  flow_ =
      std::make_unique<ClientFlow>(kCertificate, std::move(application), certificate.path.native(),
                                   std::move(proof), std::move(options));
}
ClientCertificateCredential::~ClientCertificateCredential() = default;
std::string ClientCertificateCredential::name() const { return flow_->who(); }
std::string ClientCertificateCredential::identity_key() const { return flow_->identity_key(); }
Result<AccessToken> ClientCertificateCredential::get_token(const TokenRequest& request,
                                                           const Context& context) {
  return flow_->get_token(request, context);
}

ClientAssertionCredential::ClientAssertionCredential(Application application, Assertion assertion,
                                                     std::string identity,
                                                     IdentityOptions options) {
  auto proof = [assertion = std::move(assertion)](const std::string&,
                                                  const Context& context) -> Result<Secret> {
    const Secret text = TRY(assertion(context));
    return assertion_form(text);
  };
  flow_ = std::make_unique<ClientFlow>(kAssertion, std::move(application), std::move(identity),
                                       std::move(proof), std::move(options));
}
ClientAssertionCredential::~ClientAssertionCredential() = default;
std::string ClientAssertionCredential::name() const { return flow_->who(); }
std::string ClientAssertionCredential::identity_key() const { return flow_->identity_key(); }
Result<AccessToken> ClientAssertionCredential::get_token(const TokenRequest& request,
                                                         const Context& context) {
  return flow_->get_token(request, context);
}

WorkloadIdentityCredential::WorkloadIdentityCredential(WorkloadIdentity identity,
                                                       IdentityOptions options) {
  const auto fill = [&](std::string given, const char* variable) {
    if (given.empty()) given = options.environment(variable).value_or("");
    if (given.empty()) missing_ += (missing_.empty() ? "" : ", ") + std::string(variable);
    return given;
  };
  Application application{.tenant_id = fill(std::move(identity.tenant_id), "AZURE_TENANT_ID"),
                          .client_id = fill(std::move(identity.client_id), "AZURE_CLIENT_ID")};
  const std::string file =
      fill(identity.federated_token_file.native(), "AZURE_FEDERATED_TOKEN_FILE");
  if (!missing_.empty()) return;
  flow_ = std::make_unique<ClientFlow>(kWorkload, std::move(application), file, proof_of_file(file),
                                       std::move(options));
}
WorkloadIdentityCredential::~WorkloadIdentityCredential() = default;
std::string WorkloadIdentityCredential::name() const { return kWorkload; }
std::string WorkloadIdentityCredential::identity_key() const {
  return flow_ == nullptr ? std::string() : flow_->identity_key();
}
Result<AccessToken> WorkloadIdentityCredential::get_token(const TokenRequest& request,
                                                          const Context& context) {
  if (flow_ == nullptr) return not_available(kWorkload, "not set: " + missing_);
  return flow_->get_token(request, context);
}

}  // namespace berth::auth
