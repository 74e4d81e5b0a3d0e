// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "berth/auth/identity.hpp"

namespace berth::auth {

/// Which of a machine's identities is meant: at most one of the three; none is the machine's own,
/// or the only one.
struct ManagedIdentity {
  std::string client_id{};
  std::string object_id{};
  std::string resource_id{};
  /// Is there an identity endpoint at all? Asked, for a second, before IMDS is: other addresses of
  /// the chain are not kept waiting by a machine that is none of Azure's.
  bool probe = false;
  /// Where Azure Arc's agent and the keys that prove who asks are; others are for tests.
  std::filesystem::path arc_agent = "/opt/azcmagent/bin/himds";
  std::filesystem::path arc_keys = "/var/opt/azcmagent/tokens";
};

/// The identity that Azure gives to a machine, an app or a cluster's node: Service Fabric, App
/// Service, Machine Learning, Cloud Shell, Azure Arc, else IMDS, found in this order by the
/// environment. Their endpoints are asked without a proxy, and never followed elsewhere; plain http
/// leads to this machine, its links and its private network only. Where the environment says how a
/// cluster vouches for a pod (AZURE_CLIENT_ID or `client_id`, AZURE_TENANT_ID and
/// AZURE_FEDERATED_TOKEN_FILE, as on AKS) that token is exchanged instead, as by
/// WorkloadIdentityCredential and with its errors. Errors of get_token else: not_found with the
/// reason for all that goes wrong, as the machine may simply have no identity; invalid_argument for
/// options that contradict each other.
class ManagedIdentityCredential final : public TokenCredential {
 public:
  explicit ManagedIdentityCredential(ManagedIdentity identity = {}, IdentityOptions options = {});
  ~ManagedIdentityCredential() override;
  Result<AccessToken> get_token(const TokenRequest& request, const Context& context) override;
  std::string name() const override;
  std::string identity_key() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::auth
