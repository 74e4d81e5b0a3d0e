// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/base/environment.hpp"
#include "berth/credential/config.hpp"

namespace berth::auth {

/// How Microsoft Entra ID is asked for tokens of one registry. The one rule for the mount, the
/// command and the helpers.
struct AzureRegistry {
  /// By its name, by the configuration (acr = true), or by a route that leads to Entra ID.
  bool is_azure = false;
  std::string authority_host{};  ///< as of IdentityOptions: "" where the environment names one
  std::string audience{};        ///< of the tokens
};

/// No name decides against `acr = false`. A registry that is none by its name signs in at the
/// public cloud's authority, unless AZURE_AUTHORITY_HOST names another.
AzureRegistry azure_registry(const std::string& registry, const credential::Config& config,
                             const Environment& environment);

}  // namespace berth::auth
