// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "berth/auth/token_credential.hpp"

namespace berth::auth {

/// An identity that answers what a test says, and counts how often it is asked.
class FixedCredential final : public TokenCredential {
 public:
  using Answer = std::function<Result<AccessToken>()>;

  explicit FixedCredential(Answer answer, std::string identity = "one")
      : answer_(std::move(answer)),
        identity_(std::move(identity)) {}
  static std::shared_ptr<FixedCredential> of(const std::string& token,
                                             std::string identity = "one") {
    return std::make_shared<FixedCredential>(
        [token]() -> Result<AccessToken> {
          return AccessToken{
              .token = Secret(token), .expires_on = Clock::SystemTime::max(), .refresh_on = {}};
        },
        std::move(identity));
  }

  Result<AccessToken> get_token(const TokenRequest& request, const Context&) override {
    ++asked;
    last_scope = request.scopes.at(0);
    return answer_();
  }
  std::string name() const override { return "FixedCredential"; }
  std::string identity_key() const override { return identity_; }

  std::atomic<int> asked = 0;
  std::string last_scope;

 private:
  Answer answer_;
  std::string identity_;
};

}  // namespace berth::auth
