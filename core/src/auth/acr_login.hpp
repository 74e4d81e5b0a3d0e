// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/auth/session.hpp"
#include "berth/credential/keychain.hpp"

namespace berth::auth {

/// The name by which an Azure container registry is asked for tokens: its host, with the port where
/// it has one of its own.
std::string service_name(const SessionOptions& options);

/// A refresh token of the registry that a file or helper still holds past its end counts as absent:
/// the lookup becomes anonymous, and says why. It may stand there as an identity token, or as the
/// password of nobody (00000000-0000-0000-0000-000000000000).
void drop_lapsed_token(credential::Lookup& lookup, Clock::SystemTime now);

}  // namespace berth::auth
