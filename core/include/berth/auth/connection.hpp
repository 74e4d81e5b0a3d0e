// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "berth/credential/config.hpp"
#include "berth/http/message.hpp"

namespace berth::auth {

/// The TLS settings of a connection to a registry of which the configuration says `said`. The one
/// rule for the mount, the command and the helpers. No file is read here.
http::ConnectionOptions connection_options(const credential::RegistryConfig& said);

}  // namespace berth::auth
