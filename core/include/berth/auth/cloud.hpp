// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace berth::auth {

/// One of Microsoft's clouds: who signs people in there, and what its registries are called.
struct Cloud {
  std::string_view name;              ///< "public", "government", "china", "germany"
  std::string_view authority_host;    ///< "https://login.microsoftonline.com"
  std::string_view resource_manager;  ///< an audience of Entra ID tokens that registries may refuse
  std::string_view registry_suffix;   ///< "azurecr.io"
};

/// The audience of Entra ID tokens for registries, the same in every cloud.
inline constexpr std::string_view kRegistryAudience = "https://containerregistry.azure.net";

std::span<const Cloud> clouds();  ///< the public one first

/// The cloud that "myregistry.azurecr.io" (with a port or not) is a registry of; nullptr for a host
/// that is none by its name.
const Cloud* cloud_of_registry(std::string_view registry);

}  // namespace berth::auth
