// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "berth/base/environment.hpp"
#include "berth/http/limits.hpp"
#include "berth/http/message.hpp"

namespace berth::http {

/// Sends one request and gives the answer as its headers arrive. No retries, no redirects, no
/// credentials of its own: those are policies above (client.hpp). The seam that tests replace.
/// Thread safe.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Until the headers are in or the Context ends. Errors, which name the request: unavailable
  /// (retryable), untrusted (TLS), timeout, cancelled; would_block for a non-blocking Context.
  virtual Result<Response> send(const Request& request, const Context& context) = 0;
};

struct CurlOptions {
  std::string user_agent = "berth";
  /// http_proxy (lower case only), https_proxy, all_proxy, no_proxy as curl reads them, when the
  /// first request is sent; but loopback is never asked for through a proxy.
  bool use_proxy_environment = true;
  Environment environment = real_environment;
  std::chrono::milliseconds connect_timeout = limits::kConnectTimeout;  ///< DNS, TCP and TLS
  std::chrono::milliseconds stall_timeout =
      limits::kStallTimeout;  ///< not while the reader is slow
};

/// The real transport: one thread that owns a curl multi handle, a pool of connections, HTTP/1.1
/// and, where it is switched on, HTTP/2.
/// libcurl is loaded and the thread started when the first request is sent: until then this costs
/// nothing and the process may fork; after it, a forked child must not use the transport.
/// Outlives every Response that it gave. Destroy it before main() returns.
std::unique_ptr<Transport> make_curl_transport(CurlOptions options = {});

}  // namespace berth::http
