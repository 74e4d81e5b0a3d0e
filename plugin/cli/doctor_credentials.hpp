// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "doctor.hpp"
#include "workspace.hpp"

namespace berth::cli {

/// What the tools' own files and helpers have for a registry, step by step, and no secret.
std::vector<Finding> check_credentials(Workspace& workspace, const std::string& registry);

/// The way of a tool to a registry's credential: through those files, then docker-credential-berth
/// behind them with the routes that it goes and the Entra ID identities that it asks.
std::vector<Finding> walk_credentials(Workspace& workspace, const std::string& registry);

/// What the registry asks for, and whether it takes what it is shown.
std::vector<Finding> check_acceptance(Workspace& workspace, const std::string& registry);

/// What each registry that is configured or logged in to would be shown, told one by one: helpers
/// run, and one may take half a minute. Asks no registry.
void check_known_credentials(Workspace& workspace, const std::function<void(Finding)>& tell);

}  // namespace berth::cli
