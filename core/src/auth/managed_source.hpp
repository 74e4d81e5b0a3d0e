// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/auth/managed_identity.hpp"
#include "berth/http/message.hpp"

namespace berth::auth {

/// Who gives a machine its tokens.
enum class ManagedSource : unsigned char {
  service_fabric,
  app_service,
  machine_learning,
  cloud_shell,
  arc,
  imds,
};

/// An identity endpoint as the environment describes it.
struct ManagedEndpoint {
  ManagedSource source = ManagedSource::imds;
  std::string url;
  Secret header{};           ///< what proves to it that one is of this machine
  std::string thumbprint{};  ///< of Service Fabric's certificate: SHA-1, hex
};

/// For messages: "App Service".
std::string_view name_of(ManagedSource source);

ManagedEndpoint find_managed_endpoint(const Environment& environment,
                                      const ManagedIdentity& identity);

/// The request for a token of `resource`. Errc::not_found where this source cannot serve the
/// identity that is asked for; invalid_argument for a URL that is none.
Result<http::Request> managed_request(const ManagedEndpoint& endpoint,
                                      const ManagedIdentity& identity, const std::string& resource);

}  // namespace berth::auth
