// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "berth/auth/token_credential.hpp"
#include "berth/base/clock.hpp"
#include "berth/base/environment.hpp"
#include "berth/http/policy.hpp"
#include "berth/http/transport.hpp"

namespace berth::auth {

/// What every credential of Microsoft Entra ID shares. The counterpart of TokenCredentialOptions in
/// @azure/identity. A credential never changes after it was made; all of them are thread safe, keep
/// their tokens in memory, and get new ones five minutes before the end (or at `refresh_in`).
struct IdentityOptions {
  Environment environment = real_environment;
  /// "https://login.microsoftonline.us". "": $AZURE_AUTHORITY_HOST, else the public cloud's. https,
  /// but for loopback.
  std::string authority_host{};
  /// Besides the credential's own; "*" for any. "": none, whatever
  /// AZURE_ADDITIONALLY_ALLOWED_TENANTS says, which EnvironmentCredential and
  /// DefaultAzureCredential read.
  std::vector<std::string> additionally_allowed_tenants{};
  /// To the authority; nullptr: berth's own, with the environment's proxies.
  std::shared_ptr<http::Transport> transport{};
  /// To the machine's identity endpoints; nullptr: berth's own, which uses no proxy.
  std::shared_ptr<http::Transport> endpoint_transport{};
  http::RetryPolicy retry{.attempts = 4,
                          .first_delay = std::chrono::milliseconds(1'000),
                          .max_delay = std::chrono::milliseconds(64'000)};
  /// How long az, azd and pwsh may take.
  std::chrono::milliseconds process_timeout{60'000};
  Clock* clock = &real_clock();  ///< must outlive the credential
};

/// "https://login.microsoftonline.com" for what `options` say. Errc::invalid_argument for what is
/// no https URL.
Result<std::string> authority_host(const IdentityOptions& options);

}  // namespace berth::auth
