// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace berth {

/// What went wrong, as far as a caller may act on it. Only fuse/ turns a code into an errno and
/// only plugin/ into an exit status.
enum class Errc : std::uint8_t {
  invalid_argument,  ///< the caller's input breaks a grammar or a rule; nothing was asked of anyone
  not_found,         ///< the registry, cache or file system has no such thing
  unauthenticated,   ///< 401: no credentials, or refused ones
  denied,            ///< 403, or a local permission
  conflict,          ///< it changed meanwhile, or is in use
  too_large,         ///< a limit of berth was passed (limits.hpp says which and why)
  digest_mismatch,   ///< the bytes do not have the digest or size that they were promised to have
  rate_limited,      ///< 429 after all retries
  unavailable,       ///< no connection, DNS failure, 5xx after all retries, or offline
  timeout,           ///< the Context's deadline passed
  cancelled,         ///< the Context was cancelled
  would_block,       ///< a non-blocking Context, and the answer needs the network or a wait
  no_space,          ///< the disk or the quota is full
  io,                ///< a local read or write failed
  corrupt,           ///< local or remote data breaks its own format
  unsupported,       ///< valid, but not offered by the registry or by berth
  untrusted,         ///< TLS, or a URL that the URL policy refuses
  internal,          ///< a defect of berth
};

/// The snake_case name of a code, for logs and --json.
std::string_view to_string(Errc code) noexcept;

/// What an HTTP answer said. All text is untrusted: escape it before it reaches a terminal.
struct HttpInfo {
  int status = 0;
  std::string method;
  std::string url;               ///< without user, query and fragment
  std::string registry_code;     ///< errors[0].code of distribution-spec, e.g. MANIFEST_UNKNOWN
  std::string registry_message;  ///< errors[0].message
  std::string correlation_id;    ///< x-ms-correlation-request-id or similar
  std::optional<std::chrono::milliseconds> retry_after;
  std::string registry_detail{};  ///< errors[0].detail as it came, JSON of any type; "" for none
};

/// An error value: a code, a sentence that names the operation and the object (never a secret), and
/// what is known beside it. Cheap to move; copies share the details. Immutable once shared.
class [[nodiscard]] Error {
 public:
  Error(Errc code, std::string message);

  /// From errno: picks the code, and appends the system's text to `operation`.
  static Error from_errno(int sys_errno, std::string_view operation);

  Errc code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const HttpInfo* http() const noexcept;  ///< nullptr when no HTTP answer is behind this error
  int sys_errno() const noexcept;         ///< 0 when none
  const Error* cause() const noexcept;    ///< nullptr when none

  Error with_http(HttpInfo info) &&;
  Error with_sys_errno(int sys_errno) &&;
  /// Keeps the code, puts `context + ": "` before the message.
  Error with_context(std::string_view context) &&;
  Error because(Error cause) &&;
  /// Overrides what the code alone says (a 500 on a POST is not retryable, a reset GET is).
  Error retryable(bool yes) &&;
  /// What is wrong is on this machine, whatever the code says.
  Error local() &&;

  /// May the same request succeed if it is sent again soon?
  bool is_retryable() const noexcept;
  /// Is it known to be of this machine alone (a broken file of credentials is `unauthenticated`)?
  /// Then it is no registry's word, and over as soon as it is mended here.
  bool is_local() const noexcept;

  /// message, then each cause after "; ": for logs. One line.
  std::string describe() const;

 private:
  struct Detail;
  Detail& detail();

  Errc code_;
  std::string message_;
  std::shared_ptr<Detail> detail_;
};

}  // namespace berth
