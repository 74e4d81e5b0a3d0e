// SPDX-License-Identifier: Apache-2.0
#include "berth/http/client.hpp"

#include <atomic>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/sync.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"
#include "berth/http/policy.hpp"

#include "http/status.hpp"

namespace berth::http {

struct Client::State {
  std::atomic<std::uint64_t> requests = 0;
  std::atomic<std::uint64_t> retries = 0;
  std::atomic<std::uint64_t> errors = 0;

  double random01() {
    const MutexLock lock(mutex);
    return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
  }

  Mutex mutex;
  std::minstd_rand generator BERTH_GUARDED_BY(mutex){std::random_device{}()};
};

namespace {

using std::chrono::milliseconds;

std::string named(const Request& request) {
  return fmt::format("{} {}", request.method, request.url.redacted());
}

void log_request(const Request& request, const Result<Response>& answer, milliseconds took,
                 int attempt) {
  if (!log::enabled(log::Level::debug)) return;
  const std::string outcome =
      answer ? fmt::format("{}", answer->status) : std::string(to_string(answer.error().code()));
  const std::string again = attempt > 1 ? fmt::format(", try {}", attempt) : std::string();
  log::debug(fmt::format("http: {}: {} in {} ms{}", named(request), outcome, took.count(), again));
}

bool may_repeat(const Request& request, const Result<Response>& answer) {
  const bool safe = is_safe_method(request.method) || request.repeatable;
  if (!answer) return safe && answer.error().is_retryable();
  return answer->status == 429 || (safe && is_retryable_status(answer->status));
}

std::optional<milliseconds> asked_delay(const Result<Response>& answer, const Clock& clock) {
  return answer ? asked_wait(answer->headers, clock.now()) : std::nullopt;
}

Result<void> redirect(Request& request, const Response& response) {
  const std::string* location = response.headers.find("Location");
  const Url target = TRY(request.url.resolve(*location));
  TRY(url_policy::check_redirect(request.url, target, response.peer));
  if (target.origin() != request.url.origin()) {
    request.authorization = Secret();  // and never given back, should the way lead home again
    request.headers.remove("Authorization");
    request.headers.remove("Cookie");
    request.connection = url_policy::connection_for(request.connection, request.url, target);
    request.allow_plain_http =
        request.allow_plain_http && target.origin().host == request.url.origin().host;
    request.forbidden_addresses =
        request.forbidden_addresses | url_policy::forbidden_after_redirect(response.peer);
  }
  request.url = target;
  return {};
}

bool wants_redirect(const Request& request, const Response& response) {
  return request.follow_redirects && is_safe_method(request.method) &&
         is_redirect_status(response.status) && response.headers.find("Location") != nullptr;
}

}  // namespace

Client::Client(Transport& transport, ClientOptions options)
    : transport_(transport),
      options_(options),
      state_(std::make_shared<State>()) {}

Result<Response> Client::send_once(const Request& request, int attempt, const Context& context) {
  if (request.source != nullptr) TRY(request.source->rewind());
  const Clock::SteadyTime start = options_.clock->ticks();
  Result<Response> answer = transport_.send(request, context);
  const auto took = std::chrono::duration_cast<milliseconds>(options_.clock->ticks() - start);
  if (answer || answer.error().code() != Errc::would_block) ++state_->requests;
  if (attempt > 1) ++state_->retries;
  if (!answer) ++state_->errors;
  log_request(request, answer, took, attempt);
  return answer;
}

Result<Response> Client::send_with_retries(const Request& request, const Context& context) {
  for (int attempt = 1;; ++attempt) {
    Result<Response> answer = send_once(request, attempt, context);
    if (attempt >= options_.retry.attempts || !may_repeat(request, answer)) return answer;
    const auto asked = asked_delay(answer, *options_.clock);
    // To ask before its time would be refused again, and count against whoever asks.
    if (asked && *asked > limits::kRetryAfterCap) return answer;
    const milliseconds delay = options_.retry.delay(attempt + 1, asked, state_->random01());
    // Who cannot wait that long is better served by what the server said than by "timeout".
    if (context.is_nonblocking() || context.remaining(delay) < delay) return answer;
    if (answer) drain(*answer, context);
    // That the Context has ended says nothing of what was waited for.
    if (Result<void> slept = options_.clock->sleep(delay, context); !slept) {
      return std::move(slept).error().with_context(named(request));
    }
  }
}

Result<Response> Client::send(Request request, const Context& context) {
  for (int followed = 0;; ++followed) {
    Response response = TRY(send_with_retries(request, context));
    if (!wants_redirect(request, response)) return response;
    if (followed >= options_.max_redirects) {
      return Error(Errc::corrupt, fmt::format("{}: more than {} redirects, perhaps in a circle",
                                              named(request), options_.max_redirects));
    }
    const std::string from = named(request);
    if (Result<void> ok = redirect(request, response); !ok) {
      return std::move(ok).error().with_context(from);
    }
    drain(response, context);
  }
}

Counters Client::counters() const noexcept {
  return {.requests = state_->requests.load(),
          .retries = state_->retries.load(),
          .errors = state_->errors.load()};
}

}  // namespace berth::http
