// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/tool_credentials.hpp"

#include "auth/tool_runner.hpp"

namespace berth::auth {

AzureCliCredential::AzureCliCredential(ToolAccount account, IdentityOptions options)
    : runner_(std::make_unique<ToolRunner>(azure_cli(), std::move(account), std::move(options))) {}
AzureCliCredential::~AzureCliCredential() = default;
std::string AzureCliCredential::name() const { return runner_->credential(); }
std::string AzureCliCredential::identity_key() const { return runner_->identity_key(); }
Result<AccessToken> AzureCliCredential::get_token(const TokenRequest& request,
                                                  const Context& context) {
  return runner_->get_token(request, context);
}

AzurePowerShellCredential::AzurePowerShellCredential(ToolAccount account, IdentityOptions options)
    : runner_(std::make_unique<ToolRunner>(azure_power_shell(), std::move(account),
                                           std::move(options))) {}
AzurePowerShellCredential::~AzurePowerShellCredential() = default;
std::string AzurePowerShellCredential::name() const { return runner_->credential(); }
std::string AzurePowerShellCredential::identity_key() const { return runner_->identity_key(); }
Result<AccessToken> AzurePowerShellCredential::get_token(const TokenRequest& request,
                                                         const Context& context) {
  return runner_->get_token(request, context);
}

AzureDeveloperCliCredential::AzureDeveloperCliCredential(ToolAccount account,
                                                         IdentityOptions options)
    : runner_(std::make_unique<ToolRunner>(azure_developer_cli(), std::move(account),
                                           std::move(options))) {}
AzureDeveloperCliCredential::~AzureDeveloperCliCredential() = default;
std::string AzureDeveloperCliCredential::name() const { return runner_->credential(); }
std::string AzureDeveloperCliCredential::identity_key() const { return runner_->identity_key(); }
Result<AccessToken> AzureDeveloperCliCredential::get_token(const TokenRequest& request,
                                                           const Context& context) {
  return runner_->get_token(request, context);
}

}  // namespace berth::auth
