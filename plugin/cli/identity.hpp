// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "berth/auth/identity_claims.hpp"
#include "berth/auth/session.hpp"
#include "berth/base/context.hpp"
#include "berth/base/environment.hpp"
#include "berth/base/secret.hpp"
#include "berth/credential/token_file.hpp"

namespace berth::cli {

/// A service account's token that a cluster gave, and whom it stands for.
struct WorkloadToken {
  std::string client_id;
  std::string tenant_id;
  Secret token;
};

/// {"client_id", "tenant_id", "token"}, as the kubelet's provider gives it on standard input.
Result<WorkloadToken> parse_workload(std::string_view json);

/// An Azure container registry's refresh token for whoever one is to Entra ID here, or for a
/// workload. It opens no cache and needs no home: the kubelet has none. Errors: not_found when no
/// identity is available; those of the identity and of the registry. `given_by`: set to the one of
/// several credentials that was asked with success.
Result<credential::RefreshToken> identity_token(const std::string& registry,
                                                const std::optional<WorkloadToken>& workload,
                                                const Environment& environment,
                                                const Context& context,
                                                std::string* given_by = nullptr);

/// Who one is to Entra ID here, for people to read.
struct KnownIdentity {
  std::string credential;  ///< "AzureCliCredential"
  auth::IdentityClaims claims;
  std::string text() const;  ///< "AzureCliCredential (account ..., tenant ..., object id ...)"
};

/// Asks `session.token_credential`, which must be there, for a token, and reads that. Errors:
/// not_found when no identity is available, naming each that was tried; those of the identity.
Result<KnownIdentity> known_identity(const auth::SessionOptions& session, const Context& context);

}  // namespace berth::cli
