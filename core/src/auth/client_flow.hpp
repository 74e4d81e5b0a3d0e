// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "berth/auth/client_credentials.hpp"

#include "auth/identity_network.hpp"
#include "auth/token_memory.hpp"

namespace berth::auth {

/// What the credentials of applications have in common: all but how they prove who they are.
class ClientFlow {
 public:
  /// The rest of the form, "client_secret=...", for a token endpoint.
  using Proof = std::function<Result<Secret>(const std::string& endpoint, const Context&)>;
  /// `identity` tells apart what the application's name does not.
  ClientFlow(std::string who, Application application, std::string identity, Proof proof,
             IdentityOptions options);

  Result<AccessToken> get_token(const TokenRequest& request, const Context& context);
  const std::string& who() const noexcept { return who_; }
  std::string identity_key() const;

 private:
  Result<AccessToken> fetch(const TokenRequest& request, const Context& context);

  const std::string who_;
  const Application application_;
  const std::string identity_;
  const Proof proof_;
  const IdentityOptions options_;
  IdentityNetwork network_;
  TokenMemory memory_;
};

/// "client_assertion=...", with its type.
Secret assertion_form(const Secret& assertion);

}  // namespace berth::auth
