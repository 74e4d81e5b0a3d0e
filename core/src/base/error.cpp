// SPDX-License-Identifier: Apache-2.0
#include "berth/base/error.hpp"

#include <string.h>

#include <array>
#include <cerrno>
#include <utility>

namespace berth {

/// What most errors do not have: kept out of line, so that an Error is a code and a sentence.
struct Error::Detail {
  std::optional<HttpInfo> http;
  int sys_errno = 0;
  std::shared_ptr<const Error> cause;
  std::optional<bool> retryable;
  bool local = false;
};

std::string_view to_string(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::not_found:
      return "not_found";
    case Errc::unauthenticated:
      return "unauthenticated";
    case Errc::denied:
      return "denied";
    case Errc::conflict:
      return "conflict";
    case Errc::too_large:
      return "too_large";
    case Errc::digest_mismatch:
      return "digest_mismatch";
    case Errc::rate_limited:
      return "rate_limited";
    case Errc::unavailable:
      return "unavailable";
    case Errc::timeout:
      return "timeout";
    case Errc::cancelled:
      return "cancelled";
    case Errc::would_block:
      return "would_block";
    case Errc::no_space:
      return "no_space";
    case Errc::io:
      return "io";
    case Errc::corrupt:
      return "corrupt";
    case Errc::unsupported:
      return "unsupported";
    case Errc::untrusted:
      return "untrusted";
    case Errc::internal:
      return "internal";
  }
  return "unknown";
}

namespace {

Errc code_of_errno(int sys_errno) noexcept {
  switch (sys_errno) {
    case ENOENT:
    case ENOTDIR:
    case ESTALE:
      return Errc::not_found;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::denied;
    case EEXIST:
    case EBUSY:
    case ENOTEMPTY:
    case ETXTBSY:
      return Errc::conflict;
    case ENOSPC:
    case EDQUOT:
      return Errc::no_space;
    case EFBIG:
    case E2BIG:
      return Errc::too_large;
    case EINVAL:
    case EISDIR:
    case ENAMETOOLONG:
      return Errc::invalid_argument;
    case EAGAIN:
      return Errc::would_block;
    case EINTR:
    case ECANCELED:
      return Errc::cancelled;
    // Errc::timeout means that the caller's own time is over; this is a peer that does not answer.
    case ETIMEDOUT:
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case EPIPE:
      return Errc::unavailable;
    case EOPNOTSUPP:
    case ENOSYS:
      return Errc::unsupported;
    default:
      return Errc::io;
  }
}

std::string system_text(int sys_errno) {
  std::array<char, 128> buffer{};
  // GNU's strerror_r: thread safe, and it may answer with a constant instead of the buffer.
  return ::strerror_r(sys_errno, buffer.data(), buffer.size());
}

}  // namespace

Error::Error(Errc code, std::string message)
    : code_(code),
      message_(std::move(message)) {}

Error Error::from_errno(int sys_errno, std::string_view operation) {
  std::string message(operation);
  message.append(": ").append(system_text(sys_errno));
  return Error(code_of_errno(sys_errno), std::move(message)).with_sys_errno(sys_errno);
}

const HttpInfo* Error::http() const noexcept {
  return detail_ && detail_->http ? &*detail_->http : nullptr;
}

int Error::sys_errno() const noexcept { return detail_ ? detail_->sys_errno : 0; }

const Error* Error::cause() const noexcept { return detail_ ? detail_->cause.get() : nullptr; }

Error::Detail& Error::detail() {
  if (!detail_) {
    detail_ = std::make_shared<Detail>();
  } else if (detail_.use_count() > 1) {  // another copy looks at it
    detail_ = std::make_shared<Detail>(*detail_);
  }
  return *detail_;
}

Error Error::with_http(HttpInfo info) && {
  detail().http = std::move(info);
  return std::move(*this);
}

Error Error::with_sys_errno(int sys_errno) && {
  detail().sys_errno = sys_errno;
  return std::move(*this);
}

Error Error::with_context(std::string_view context) && {
  message_.insert(0, ": ").insert(0, context);
  return std::move(*this);
}

Error Error::because(Error cause) && {
  detail().cause = std::make_shared<const Error>(std::move(cause));
  return std::move(*this);
}

Error Error::retryable(bool yes) && {
  detail().retryable = yes;
  return std::move(*this);
}

Error Error::local() && {
  detail().local = true;
  return std::move(*this);
}

bool Error::is_retryable() const noexcept {
  if (detail_ && detail_->retryable) return *detail_->retryable;
  return code_ == Errc::rate_limited || code_ == Errc::unavailable;
}

bool Error::is_local() const noexcept { return detail_ && detail_->local; }

std::string Error::describe() const {
  std::string text = message_;
  for (const Error* error = cause(); error != nullptr; error = error->cause()) {
    text.append("; ").append(error->message_);
  }
  // A message may quote a registry or a helper: a line of the log stays one line.
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

}  // namespace berth
