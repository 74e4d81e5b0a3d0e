// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/credential/config.hpp"

namespace berth::credential {

/// What the configuration file says of the registry, however its name is written. Of certs.d
/// nothing: no folder is looked into, as registry_config() does.
RegistryConfig config_entry(const Config& config, const std::string& registry);

}  // namespace berth::credential
