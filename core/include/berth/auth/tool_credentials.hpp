// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "berth/auth/identity.hpp"

namespace berth::auth {

struct Tool;
class ToolRunner;

/// Which account of a tool is meant; each "": the one that the tool has chosen.
struct ToolAccount {
  std::string tenant_id{};
  std::string subscription{};  ///< of az alone: its name or GUID
};

/// Whoever is logged in to the Azure CLI (`az login`). The classes of this header run their tool,
/// found by PATH, without a shell and for no longer than IdentityOptions::process_timeout. Errors
/// of get_token: not_found with the reason for all that goes wrong with the tool: it is not there,
/// nobody is logged in, it fails, it hangs; invalid_argument for an account that cannot be one.
class AzureCliCredential final : public TokenCredential {
 public:
  explicit AzureCliCredential(ToolAccount account = {}, IdentityOptions options = {});
  ~AzureCliCredential() override;
  Result<AccessToken> get_token(const TokenRequest& request, const Context& context) override;
  std::string name() const override;
  std::string identity_key() const override;

 private:
  std::unique_ptr<ToolRunner> runner_;
};

/// Whoever is logged in to Azure PowerShell (`Connect-AzAccount`), by pwsh.
class AzurePowerShellCredential final : public TokenCredential {
 public:
  explicit AzurePowerShellCredential(ToolAccount account = {}, IdentityOptions options = {});
  ~AzurePowerShellCredential() override;
  Result<AccessToken> get_token(const TokenRequest& request, const Context& context) override;
  std::string name() const override;
  std::string identity_key() const override;

 private:
  std::unique_ptr<ToolRunner> runner_;
};

/// Whoever is logged in to the Azure Developer CLI (`azd auth login`).
class AzureDeveloperCliCredential final : public TokenCredential {
 public:
  explicit AzureDeveloperCliCredential(ToolAccount account = {}, IdentityOptions options = {});
  ~AzureDeveloperCliCredential() override;
  Result<AccessToken> get_token(const TokenRequest& request, const Context& context) override;
  std::string name() const override;
  std::string identity_key() const override;

 private:
  std::unique_ptr<ToolRunner> runner_;
};

}  // namespace berth::auth
