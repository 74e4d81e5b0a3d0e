// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "berth/base/clock.hpp"
#include "berth/http/limits.hpp"
#include "berth/http/policy.hpp"
#include "berth/http/transport.hpp"

namespace berth::http {

struct ClientOptions {
  RetryPolicy retry;
  int max_redirects = limits::kRedirects;
  Clock* clock = &real_clock();  ///< must outlive the client
};

/// Counters since the start; for stats.json and tests ("no request").
struct Counters {
  std::uint64_t requests = 0;  ///< sent on the wire, retries and redirects included
  std::uint64_t retries = 0;
  std::uint64_t errors = 0;
};

/// A Transport with berth's policies: retries with back-off, Retry-After, redirects under the URL
/// policy (Authorization never leaves its origin), one log line a request without secrets. Thread
/// safe.
class Client {
 public:
  /// `transport` must outlive the client.
  explicit Client(Transport& transport, ClientOptions options = {});

  /// Any status is a Response, also 4xx and 5xx: after the last retry of a 429 or 5xx the last
  /// answer is given as it is. Errors are those of the Transport, and untrusted from the URL
  /// policy.
  Result<Response> send(Request request, const Context& context);

  Counters counters() const noexcept;
  Clock& clock() const noexcept { return *options_.clock; }
  const RetryPolicy& retry() const noexcept { return options_.retry; }

 private:
  struct State;
  Result<Response> send_once(const Request& request, int attempt, const Context& context);
  Result<Response> send_with_retries(const Request& request, const Context& context);

  Transport& transport_;
  ClientOptions options_;
  std::shared_ptr<State> state_;
};

/// Whether a login at the host that answered is what a 401 asks for: at a token server or an
/// authority nobody logs in.
enum class Login : std::uint8_t { here, elsewhere };

/// An Error for an answer that is not a success: reads a little of the body, takes the OCI error
/// list from it, maps the status to a code. `operation` begins the message: "manifest of R/a:v1".
Error error_from(Response& response, std::string_view method, std::string_view operation,
                 Clock::SystemTime now, const Context& context, Login login = Login::here);

/// A GET body of exactly `length` bytes that survives a broken connection: asks again by Range from
/// where it stopped and checks the 206 and its Content-Range (Errc::corrupt when it is another);
/// gives up after `retry.attempts` breaks with less than limits::kProgressBytes between one and the
/// next, and pauses between them. An error is given again by each call that follows. A 200 in its
/// place is read up to where it stopped, within limits::kSkipBytes. A body that goes on after
/// `length` is Errc::corrupt. No If-Range: the bytes are verified by digest, and caches in front of
/// one registry differ in their ETags for the same blob. `resend` sends the same request again with
/// the given Range header
/// ("bytes=5-9"; credentials included). `clock` must outlive the body.
std::unique_ptr<Body> make_resuming_body(
    Response first, std::uint64_t offset, std::uint64_t length,
    std::function<Result<Response>(const std::string& range, const Context&)> resend,
    RetryPolicy retry, Clock& clock);

}  // namespace berth::http
