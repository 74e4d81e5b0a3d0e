// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/auth/scope.hpp"
#include "berth/base/error.hpp"
#include "berth/credential/keychain.hpp"

namespace berth::auth {

/// What was asked of whom with what, for the sentence that somebody reads at three in the morning.
struct Refusal {
  const std::string& registry;
  credential::Lookup lookup;
  const Scopes& scopes;
  std::string token_server{};       ///< "" when the registry itself refused
  bool insufficient_scope = false;  ///< the registry knows the account, which lacks the right
  bool entra{};                     ///< an Entra ID identity would do as well
  std::string identity{};           ///< the Entra ID credential that was shown; "" for none
  std::string said{};               ///< what the challenge gives as its error
};

/// Errc::unauthenticated: who refused whom, where the credential came from, what to do, and every
/// source that was tried with its outcome.
Error refusal_error(const Refusal& refusal);

}  // namespace berth::auth
