// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "berth/auth/identity.hpp"

namespace berth::auth {

class ClientFlow;

/// Which application (service principal) of which tenant one is.
struct Application {
  std::string tenant_id;  ///< a GUID or a domain: letters, digits, '.' and '-'
  std::string client_id;
};

/// An application with a secret. The classes of this header ask the authority by the OAuth 2.0
/// client credentials grant (RFC 6749 section 4.4). Errors of get_token: invalid_argument for a
/// tenant or client id that cannot be one, or a tenant that is not allowed; unauthenticated when
/// Entra ID refuses, with its AADSTS code and what to do; unavailable when it does not answer.
class ClientSecretCredential final : public TokenCredential {
 public:
  ClientSecretCredential(Application application, Secret secret, IdentityOptions options = {});
  ~ClientSecretCredential() override;
  Result<AccessToken> get_token(const TokenRequest& request, const Context& context) override;
  std::string name() const override;
  std::string identity_key() const override;

 private:
  std::unique_ptr<ClientFlow> flow_;
};

/// Where the certificate of an application is, and how it is shown.
struct ClientCertificate {
  std::filesystem::path path;  ///< PEM with key and certificates, or PKCS#12; read for each token
  Secret password{};
  bool send_certificate_chain = false;  ///< x5c: for applications that trust a subject and issuer
};

/// An application with a certificate: a signed assertion (RFC 7523) stands for the secret.
class ClientCertificateCredential final : public TokenCredential {
 public:
  ClientCertificateCredential(Application application, const ClientCertificate& certificate,
                              IdentityOptions options = {});
  ~ClientCertificateCredential() override;
  Result<AccessToken> get_token(const TokenRequest& request, const Context& context) override;
  std::string name() const override;
  std::string identity_key() const override;

 private:
  std::unique_ptr<ClientFlow> flow_;
};

/// An application whom somebody else vouches for: the assertion is what the function gives, asked
/// for each new token.
class ClientAssertionCredential final : public TokenCredential {
 public:
  using Assertion = std::function<Result<Secret>(const Context&)>;
  /// `identity` tells assertions of different people apart (never a secret).
  ClientAssertionCredential(Application application, Assertion assertion, std::string identity,
                            IdentityOptions options = {});
  ~ClientAssertionCredential() override;
  Result<AccessToken> get_token(const TokenRequest& request, const Context& context) override;
  std::string name() const override;
  std::string identity_key() const override;

 private:
  std::unique_ptr<ClientFlow> flow_;
};

/// What WorkloadIdentityCredential is told; each "": the environment's.
struct WorkloadIdentity {
  std::string tenant_id{};                       ///< AZURE_TENANT_ID
  std::string client_id{};                       ///< AZURE_CLIENT_ID
  std::filesystem::path federated_token_file{};  ///< AZURE_FEDERATED_TOKEN_FILE
};

/// A Kubernetes service account that Entra ID trusts: the cluster's token of the pod, read again
/// for each new token, is the assertion. Not available where one of the three is not given.
class WorkloadIdentityCredential final : public TokenCredential {
 public:
  explicit WorkloadIdentityCredential(WorkloadIdentity identity = {}, IdentityOptions options = {});
  ~WorkloadIdentityCredential() override;
  Result<AccessToken> get_token(const TokenRequest& request, const Context& context) override;
  std::string name() const override;
  std::string identity_key() const override;

 private:
  std::unique_ptr<ClientFlow> flow_;  ///< nullptr when something is missing
  std::string missing_;
};

}  // namespace berth::auth
