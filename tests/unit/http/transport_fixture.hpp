// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <utility>

#include "berth/http/transport.hpp"

#include "support/http_server.hpp"

namespace berth::http {

inline Context soon() { return Context().with_timeout(std::chrono::seconds(20)); }

inline Environment environment_of(std::map<std::string, std::string> values = {}) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
}

/// Options that do not depend on the environment of whoever runs the tests.
inline CurlOptions plain_options() {
  CurlOptions options;
  options.environment = environment_of();
  return options;
}

inline Request get(const test::HttpServer& server, const std::string& path = "/") {
  Request request;
  request.url = *Url::parse(server.origin() + path);
  return request;
}

/// Text in which a byte that is lost, doubled or moved shows.
inline std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  std::uint32_t state = 12345;
  for (char& c : out) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return out;
}

inline Result<std::string> fetch(Transport& transport, const Request& request) {
  auto response = transport.send(request, soon());
  if (!response) return response.error();
  return read_all(*response->body, std::size_t{1} << 30, soon());
}

/// Waits for what another thread will do; false when it did not.
inline bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace berth::http
