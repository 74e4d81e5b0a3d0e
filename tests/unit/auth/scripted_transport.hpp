// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "berth/base/sync.hpp"
#include "berth/http/transport.hpp"

namespace berth::auth {

/// What the network saw of a request.
struct Seen {
  std::string method;
  std::string url;
  std::string authorization;
  std::string body;
  http::Request request;
};

/// A network that is a function. Thread safe; the function is called without a lock.
class ScriptedTransport final : public http::Transport {
 public:
  using Script = std::function<Result<http::Response>(const Seen&)>;

  explicit ScriptedTransport(Script script)
      : script_(std::move(script)) {}

  Result<http::Response> send(const http::Request& request, const Context&) override {
    Seen seen{.method = request.method,
              .url = request.url.text(),
              .authorization = request.authorization.reveal(),
              .body = request.body,
              .request = request};
    {
      const MutexLock lock(mutex_);
      seen_.push_back(seen);
    }
    Result<http::Response> response = script_(seen);
    if (response && response->url.origin().host.empty()) response->url = request.url;
    return response;
  }

  std::vector<Seen> seen() const {
    const MutexLock lock(mutex_);
    return seen_;
  }
  /// "GET https://r.example/v2/" and so on.
  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    for (const Seen& one : seen()) lines.push_back(one.method + " " + one.url);
    return lines;
  }

 private:
  Script script_;
  mutable Mutex mutex_;
  std::vector<Seen> seen_ BERTH_GUARDED_BY(mutex_);
};

inline http::Response answer(int status, std::string body = {},
                             std::vector<std::string> challenges = {}) {
  http::Response response;
  response.status = status;
  response.body = http::make_string_body(std::move(body));
  for (std::string& challenge : challenges) {
    response.headers.add("WWW-Authenticate", std::move(challenge));
  }
  return response;
}

inline http::Url url(std::string_view text) { return http::Url::parse(text).value(); }

}  // namespace berth::auth
