// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/http/client.hpp"
#include "berth/http/limits.hpp"
#include "berth/http/policy.hpp"

#include "http/error_body.hpp"
#include "http/status.hpp"

namespace berth::http {
namespace {

// Whoever runs the registry finds the request in its logs by one of these.
constexpr std::array kCorrelationHeaders = {
    "X-Ms-Correlation-Request-Id",
    "X-Ms-Request-Id",
    "X-Request-Id",
    "X-Amzn-Requestid",
    "X-Amz-Request-Id",
    "X-Github-Request-Id",
    "X-Correlation-Id",
    "Cf-Ray",
};

// The end of a body is no reason to wait: the status alone says enough.
constexpr std::chrono::seconds kBodyTime{5};

// Azure's word for what a lock forbids, with the status of what a registry does not offer.
constexpr std::string_view kLocked = "REGISTRY_DISALLOWED_OPERATION";

Errc code_of(int status) {
  switch (status) {
    case 401:
      return Errc::unauthenticated;
    case 403:
    case 407:
      return Errc::denied;
    case 404:
    case 410:
      return Errc::not_found;
    case 405:
    case 406:
    case 415:
    case 501:
    case 505:
      return Errc::unsupported;
    case 409:
    case 412:
    case 423:
      return Errc::conflict;
    case 413:
    case 414:
    case 431:
      return Errc::too_large;
    case 429:
      return Errc::rate_limited;
    case 408:
      return Errc::unavailable;
    default:
      break;
  }
  if (status >= 500) return Errc::unavailable;
  if (status >= 400) return Errc::invalid_argument;
  return Errc::corrupt;  // a success or redirect that whoever asked cannot use
}

std::string_view meaning(int status) {
  switch (status) {
    case 401:
      return "the registry asks for credentials, or refused those that it got";
    case 403:
      return "the registry does not allow it";
    case 404:
      return "the registry does not have it";
    case 405:
    case 501:
      return "the registry does not offer it";
    case 409:
    case 412:
      return "it was changed meanwhile, or is in use";
    case 407:
      return "the proxy asks for a login, or refused it";
    case 413:
      return "the registry finds it too large";
    case 416:
      return "the registry does not have that range of bytes";
    case 429:
      return "the registry wants fewer requests";
    default:
      break;
  }
  if (status >= 500) return "the registry failed";
  if (status >= 400) return "the registry refused the request";
  return "the registry gave an answer that does not fit the question";
}

/// A firewall of Azure's, or its own failure to look rights up: another login helps against
/// neither.
bool is_about_no_right(const HttpInfo& info) {
  return info.registry_message.find("aka.ms/acr/firewall") != std::string::npos ||
         info.registry_message == "retrieving permissions failed";
}

std::string_view lock_of(std::string_view method) {
  return is_safe_method(method) ? "it is locked: can_read is false"
                                : "it is locked: can_write or can_delete is false";
}

/// With its port: that is how logins are kept.
std::string host_of(const Url& url) {
  const std::string origin = url.origin().text();
  return origin.substr(origin.find("://") + 3);
}

std::string remedy(Errc code, const HttpInfo& info, const Url& url, Login login) {
  if (info.registry_code == kLocked) {
    return is_safe_method(info.method) ? "; set it to true first" : "; set both to true first";
  }
  if (info.status == 407) return "; give it in http_proxy, as http://user:password@host:port";
  switch (code) {
    case Errc::unauthenticated:
      if (login == Login::elsewhere) return {};
      return fmt::format("; log in with `docker login {0}` or `podman login {0}`", host_of(url));
    case Errc::denied:
      if (is_about_no_right(info)) return {};
      return "; ask its owner for the permission, or log in as somebody who has it";
    case Errc::rate_limited:
      return info.retry_after
                 ? fmt::format("; try again in {} s",
                               std::chrono::ceil<std::chrono::seconds>(*info.retry_after).count())
                 : std::string("; try again later, or log in: limits are often higher then");
    case Errc::unavailable:
      return "; try again later";
    default:
      return {};
  }
}

std::string what_it_said(const HttpInfo& info) {
  std::string said = fmt::format("HTTP {}", info.status);
  if (!info.registry_code.empty()) said += fmt::format(" {}", info.registry_code);
  if (!info.registry_message.empty()) said += fmt::format(": {}", info.registry_message);
  if (info.status >= 500 && !info.correlation_id.empty()) {
    said += fmt::format("; request id {}", info.correlation_id);
  }
  // Here, and not where it is printed: messages also end in logs that somebody shows by `cat`.
  return text::escape_for_terminal(said);
}

HttpInfo read_info(Response& response, std::string_view method, Clock::SystemTime now,
                   const Context& context) {
  HttpInfo info;
  info.status = response.status;
  info.method = method;
  info.url = response.url.redacted();
  for (const char* name : kCorrelationHeaders) {
    const std::string* value = response.headers.find(name);
    if (value == nullptr) continue;
    info.correlation_id = value->substr(0, 128);
    break;
  }
  info.retry_after = asked_wait(response.headers, now);
  std::string body;
  const Context brief = context.with_timeout(kBodyTime);
  while (response.body != nullptr && body.size() < limits::kErrorBody) {
    const auto block = response.body->next(brief);
    if (!block || block->empty()) break;
    body += as_text(*block).substr(0, limits::kErrorBody - body.size());
  }
  RegistryError said = parse_error_body(body);
  info.registry_code = std::move(said.code);
  info.registry_message = std::move(said.message);
  info.registry_detail = std::move(said.detail);
  return info;
}

}  // namespace

Error error_from(Response& response, std::string_view method, std::string_view operation,
                 Clock::SystemTime now, const Context& context, Login login) {
  HttpInfo info = read_info(response, method, now, context);
  const bool locked = info.registry_code == kLocked;
  const Errc code = locked ? Errc::denied : code_of(info.status);
  const bool again =
      is_retryable_status(info.status) && (is_safe_method(method) || info.status == 429);
  std::string message =
      fmt::format("{}: {} ({}){}", operation, locked ? lock_of(info.method) : meaning(info.status),
                  what_it_said(info), remedy(code, info, response.url, login));
  return Error(code, std::move(message)).with_http(std::move(info)).retryable(again);
}

}  // namespace berth::http
