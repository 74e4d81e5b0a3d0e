// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "berth/auth/identity.hpp"
#include "berth/http/client.hpp"

namespace berth::auth {

/// `options` with transports of their own where none was given: credentials made from a copy share
/// them. No thread is started and nothing is loaded before the first request.
IdentityOptions with_transports(IdentityOptions options);

/// How a credential reaches the authority and the machine's identity endpoints.
class IdentityNetwork {
 public:
  explicit IdentityNetwork(const IdentityOptions& options);

  http::Client& authority() noexcept { return authority_; }
  /// Without retries: each endpoint has rules of its own.
  http::Client& endpoints() noexcept { return endpoints_; }

 private:
  const std::shared_ptr<http::Transport> transport_;
  const std::shared_ptr<http::Transport> endpoint_transport_;
  http::Client authority_;
  http::Client endpoints_;
};

}  // namespace berth::auth
