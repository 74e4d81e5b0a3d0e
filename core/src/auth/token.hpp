// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "berth/auth/scope.hpp"
#include "berth/base/clock.hpp"
#include "berth/base/secret.hpp"

namespace berth::auth {

/// A bearer token of a registry.
struct Token {
  Secret value;
  Clock::SystemTime refresh_at;  ///< from here on a new one is fetched
  Clock::SystemTime expires;     ///< until here this one does if no new one can be had
};

/// A token with what it was asked for.
struct StoredToken {
  Scopes scopes;
  Token token;
};

}  // namespace berth::auth
