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

/// berth's routes, by its configuration.
Result<credential::Router> open_router(Workspace& workspace);

}  // namespace berth::cli
