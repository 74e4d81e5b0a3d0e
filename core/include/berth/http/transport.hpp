// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "berth/http/message.hpp"

namespace berth::http {

/// Sends one request and gives the answer as its headers arrive. No retries, no redirects, no
/// credentials of its own: those are policies above (client.hpp). The seam that tests replace.
/// Thread safe.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Blocks until the headers are in or the Context ends. Errors: unavailable (connection, DNS;
  /// retryable), untrusted (TLS), timeout, cancelled, would_block for a non-blocking Context.
  virtual Result<Response> send(const Request& request, const Context& context) = 0;
};

struct CurlOptions {
  std::string user_agent = "berth";
  bool use_proxy_environment = true;  ///< http_proxy, https_proxy, no_proxy as curl reads them
};

/// The real transport: one thread that owns a curl multi handle, a pool of connections, HTTP/1.1.
/// libcurl is loaded when the first request is sent: until then this costs nothing.
/// Outlives every Response that it gave. Destroy it before main() returns.
std::unique_ptr<Transport> make_curl_transport(CurlOptions options = {});

}  // namespace berth::http
