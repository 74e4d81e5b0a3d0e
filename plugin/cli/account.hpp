// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/auth/session.hpp"
#include "berth/credential/router.hpp"

#include "workspace.hpp"

namespace berth::cli {

/// A registry as login, logout, whoami and token name it: host, host:port or a URL of it, with a
/// path of repositories where the credential is for those alone.
Result<credential::ServerKey> parse_registry(const std::string& text);

/// Shows a registry the credential that a keychain finds and gives what it took, as
/// Session::authorization(): nothing is kept of it.
Result<Secret> check_with_registry(Workspace& workspace, const credential::ServerKey& key,
                                   credential::Keychain& keychain, const auth::Scopes& scopes);

/// What this user shows a registry: what the files and helpers have, else what berth's routes give,
/// Entra ID's token for an Azure container registry with it. Anonymous when nobody has one.
Result<credential::Credential> credential_of(Workspace& workspace,
                                             const credential::ServerKey& key);

/// A keychain that knows this one alone.
credential::Keychain keychain_of(Workspace& workspace, const credential::Credential& credential);

/// berth's routes, by its configuration; they fetch tokens of Entra ID.
Result<credential::Router> open_router(Workspace& workspace);

}  // namespace berth::cli
