// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "berth/auth/identity.hpp"

namespace berth::auth {

/// The first of several credentials that is available; one that is available and fails ends the
/// chain. Errors of get_token: that of the one that failed, naming it; not_found when none is
/// available, with the reason of each. That nobody was there is remembered for 30 s, or until the
/// identity_key() of one of them changes (somebody logs in): some take seconds to say so.
class ChainedTokenCredential final : public TokenCredential {
 public:
  explicit ChainedTokenCredential(std::vector<std::shared_ptr<TokenCredential>> sources,
                                  Clock& clock = real_clock());
  ~ChainedTokenCredential() override;
  Result<AccessToken> get_token(const TokenRequest& request, const Context& context) override;
  std::string name() const override;
  std::string identity_key() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What the environment says: AZURE_TENANT_ID and AZURE_CLIENT_ID with AZURE_CLIENT_SECRET, or with
/// AZURE_CLIENT_CERTIFICATE_PATH (and AZURE_CLIENT_CERTIFICATE_PASSWORD,
/// AZURE_CLIENT_SEND_CERTIFICATE_CHAIN). Not available where it says nothing of this; a user's name
/// and password (AZURE_USERNAME) are Errc::unsupported: Entra ID is giving that way up.
class EnvironmentCredential final : public TokenCredential {
 public:
  explicit EnvironmentCredential(IdentityOptions options = {});
  ~EnvironmentCredential() override;
  Result<AccessToken> get_token(const TokenRequest& request, const Context& context) override;
  std::string name() const override;
  std::string identity_key() const override;

 private:
  std::unique_ptr<TokenCredential> found_;  ///< nullptr when there is none
  bool by_password_ = false;
  std::string missing_;
};

/// Options of DefaultAzureCredential besides those that all share.
struct DefaultCredentialOptions {
  IdentityOptions identity{};
  std::string tenant_id{};                       ///< of az, pwsh and azd
  std::string managed_identity_client_id{};      ///< "": AZURE_CLIENT_ID
  std::string managed_identity_resource_id{};    ///< in place of a client id, never beside one
  std::string workload_identity_client_id{};     ///< "": AZURE_CLIENT_ID
  std::vector<std::string> required_env_vars{};  ///< without them it fails
};

/// Whoever one is, wherever one is: the environment, a workload identity, a managed identity, az,
/// pwsh, azd, in this order. AZURE_TOKEN_CREDENTIALS narrows it: "prod" (the first three), "dev"
/// (the others), or the name of one, "AzureCliCredential"; else get_token is
/// Errc::invalid_argument.
class DefaultAzureCredential final : public TokenCredential {
 public:
  explicit DefaultAzureCredential(const DefaultCredentialOptions& options = {});
  ~DefaultAzureCredential() override;
  Result<AccessToken> get_token(const TokenRequest& request, const Context& context) override;
  std::string name() const override;
  std::string identity_key() const override;

 private:
  std::unique_ptr<ChainedTokenCredential> chain_;
  std::string wrong_;  ///< what is wrong with the options or the environment
};

}  // namespace berth::auth
