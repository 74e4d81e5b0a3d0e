// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "berth/base/environment.hpp"
#include "berth/http/url.hpp"

namespace berth::http {

/// The proxies of the environment, read once, as curl reads them: http_proxy in lower case only
/// (an upper-case one may be a request header of a CGI server), https_proxy, all_proxy and no_proxy
/// in both. Decided here and not in curl, because the address checks must know whether the address
/// that is connected to is the registry's or the proxy's. Immutable.
class ProxySettings {
 public:
  ProxySettings() = default;
  explicit ProxySettings(const Environment& environment);

  /// The proxy's URL for this one; "" for none. Loopback is never asked for through a proxy: a
  /// request that is sent in clear because it stays on this machine must stay on it.
  std::string proxy_for(const Url& url) const;

 private:
  bool is_excluded(std::string_view host) const;

  std::string http_;
  std::string https_;
  std::string excluded_;
};

}  // namespace berth::http
