// SPDX-License-Identifier: Apache-2.0
#include "content/scheme.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>

#include <fmt/core.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"
#include "berth/http/policy.hpp"

namespace berth::content {
namespace {

/// A server that waits for the rest of what it takes for a strange request does not answer at all.
constexpr std::chrono::seconds kPatience{5};

/// Nothing listens there, or it says nothing at all.
bool is_gone(const Error& error) {
  return error.sys_errno() == ECONNREFUSED || error.code() == Errc::timeout;
}

}  // namespace

bool is_loopback(const std::string& registry) {
  const auto url = http::Url::parse("https://" + registry + "/");
  return url && http::url_policy::classify_host(url->origin().host) ==
                    http::url_policy::AddressClass::loopback;
}

Result<std::string> probe_scheme(http::Transport& transport, const std::string& host,
                                 std::shared_ptr<const http::ConnectionOptions> connection,
                                 std::atomic<std::uint64_t>& requests, const Context& context) {
  // Half of what there is, or a server that is silent to one is never asked the other way.
  const auto patience =
      std::min<std::chrono::nanoseconds>(kPatience, context.remaining(2 * kPatience) / 2);
  const auto ask = [&](const std::string& scheme) -> Result<int> {
    http::Request request;
    request.url = TRY(http::Url::parse(fmt::format("{}://{}/v2/", scheme, host)));
    request.connection = connection;
    ++requests;
    const auto response = TRY(transport.send(request, context.with_timeout(patience)));
    return response.status;
  };
  auto tls = ask("https");
  if (tls) return std::string("https");
  TRY(context.check());
  if (tls.error().code() == Errc::would_block) return std::move(tls).error();
  // 400 is what servers that want TLS answer to a plain request: the first error is the true one.
  const auto plain = ask("http");
  if (!plain && is_gone(tls.error()) && is_gone(plain.error())) {
    // Neither scheme is to blame, and a message with the wrong one would say so.
    return Error(tls.error().code(), fmt::format("{} does not answer, neither with TLS nor without "
                                                 "it: {}",
                                                 host, plain.error().message()))
        .with_sys_errno(plain.error().sys_errno());
  }
  // What answered the first bytes of TLS in plain text speaks http, whatever became of this
  // request.
  if (!plain && tls.error().sys_errno() == EPROTO) return plain.error();
  if (!plain || *plain == 400) return std::move(tls).error();
  log::info(
      fmt::format("{} does not speak TLS; it is on this machine, so plain http is used", host));
  return std::string("http");
}

}  // namespace berth::content
