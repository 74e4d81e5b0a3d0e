// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
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
  /// Errc::invalid_argument, without its text, for what is no proxy's URL.
  Result<std::string> proxy_for(const Url& url) const;

 private:
  struct Variable {
    std::string name;
    std::string value;
  };
  static Variable first_of(const Environment& environment,
                           std::initializer_list<const char*> names);
  bool is_excluded(std::string_view host) const;

  Variable http_;
  Variable https_;
  std::string excluded_;
};

/// A proxy's URL as it may be shown: without user and password.
std::string without_user(std::string_view proxy);
/// `words` with what stands before the '@' of `proxy` taken out: libcurl quotes proxies whole.
std::string without_user_of(std::string words, std::string_view proxy);

}  // namespace berth::http
