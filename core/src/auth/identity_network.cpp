// SPDX-License-Identifier: Apache-2.0
#include "auth/identity_network.hpp"

namespace berth::auth {

IdentityOptions with_transports(IdentityOptions options) {
  if (options.transport == nullptr) {
    options.transport = http::make_curl_transport({.environment = options.environment});
  }
  if (options.endpoint_transport == nullptr) {
    options.endpoint_transport =
        http::make_curl_transport({.use_proxy_environment = false, .environment = {}});
  }
  return options;
}

IdentityNetwork::IdentityNetwork(const IdentityOptions& options)
    : transport_(options.transport),
      endpoint_transport_(options.endpoint_transport),
      authority_(*transport_, {.retry = options.retry, .clock = options.clock}),
      endpoints_(*endpoint_transport_, {.retry = {.attempts = 1}, .clock = options.clock}) {}

}  // namespace berth::auth
