// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "support/http_server.hpp"

namespace berth::test {

/// Which requests a fault is for.
struct FaultMatch {
  std::string method{};      ///< "" for any
  std::string target = "*";  ///< glob over the whole target, query included; '*' for anything
  int from = 1;              ///< the first matching request that it is for, counted from 1
  int times = 1;             ///< for how many; 0 for all that follow
};

/// Makes the answer to a request. `usual` gives what would have been answered without the fault,
/// to this request or to a changed one.
using Fault = std::function<HttpReply(HttpRequest request, const HttpServer::Handler& usual)>;

namespace fault {

/// This answer instead.
Fault status(int status, std::string body = {}, HttpFields headers = {});
/// An OCI error list: {"errors":[{"code":...,"message":...}]}.
Fault error(int status, const std::string& code, const std::string& message = "scripted");
/// 429 with Retry-After as given: seconds, a date, or nonsense. "" for none.
Fault too_many_requests(std::string retry_after = {});
/// The body ends after `at` bytes of it, its Content-Length unchanged.
Fault cut(std::uint64_t at, bool with_reset = true);
/// The connection ends where an answer should begin.
Fault drop(bool with_reset = true);
/// The usual body with `more` appended, and Content-Length to match.
Fault longer(std::string more = "unexpected");
/// `more` after the end of what Content-Length says.
Fault extra_bytes(std::string more = "unexpected");
/// A Content-Length that is not the body's size.
Fault claim_length(std::uint64_t length);
/// The usual body, its byte `at` changed, everything else as usual.
Fault flip_byte(std::uint64_t at = 0);
/// Another body under the usual headers (Content-Length follows it).
Fault body(std::string content);
/// The usual answer with this header replaced, or removed.
Fault header(std::string name, std::string value);
Fault without_header(std::string name);
/// The usual answer, once the gate opens; the head at once and the body held at `at`.
Fault stall_head(std::shared_ptr<Gate> gate);
Fault stall_body(std::shared_ptr<Gate> gate, std::uint64_t at = 0);
/// 200 and the whole body, whatever Range asked.
Fault ignore_range();
/// 206 with a Content-Range moved by `by` bytes.
Fault shift_content_range(std::int64_t by);
/// 307 to this URL.
Fault redirect(std::string location, int status = 307);
/// The usual Location, behind another scheme, host and port.
Fault rewrite_location(std::string origin);
/// 401 with this WWW-Authenticate; "" for none.
Fault challenge(std::string www_authenticate);
/// Link: <url>; rel="next" beside the usual body.
Fault link(const std::string& url);
/// The usual answer, later (real time: prefer gates).
Fault latency(std::chrono::milliseconds time);
/// No Content-Length: chunked, or until the connection closes.
Fault framing(HttpReply::Framing framing);

/// From the action's name and argument, for scripts: {"action": "cut", "at": 100}, and whose it is
/// where it is not the registry's: {"server": "storage"}. Throws std::runtime_error for an unknown
/// one.
struct Script {
  FaultMatch match;
  Fault action;
  std::string server{};  ///< "registry", "tokens" or "storage"
};
std::vector<Script> parse_script(const std::string& json);

}  // namespace fault

/// Actions for the requests that they match, in order of scripting. Thread safe.
template <class Action>
class Scripted {
 public:
  void add(FaultMatch match, Action action) {
    const std::lock_guard lock(mutex_);
    entries_.push_back({std::move(match), std::move(action)});
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    entries_.clear();
  }
  /// The first one that matches and is not used up.
  std::optional<Action> take(const HttpRequest& request) {
    const std::lock_guard lock(mutex_);
    for (Entry& entry : entries_) {
      if (entry.counts(request)) return entry.action;
    }
    return std::nullopt;
  }

 private:
  struct Entry {
    FaultMatch match;
    Action action;
    int seen = 0;

    bool counts(const HttpRequest& request) {
      if (!match.method.empty() && match.method != request.method) return false;
      if (!glob_matches(match.target, request.target)) return false;
      const int number = ++seen;
      return number >= match.from && (match.times == 0 || number < match.from + match.times);
    }
  };
  std::mutex mutex_;
  std::vector<Entry> entries_;
};

/// The faults of one server.
class FaultList : public Scripted<Fault> {
 public:
  HttpReply answer(const HttpRequest& request, const HttpServer::Handler& usual);
};

}  // namespace berth::test
