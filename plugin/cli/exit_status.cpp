// SPDX-License-Identifier: Apache-2.0
#include "exit_status.hpp"

#include "berth/base/text.hpp"
#include "berth/json/writer.hpp"

#include "remedy.hpp"

namespace berth::cli {

ExitStatus exit_status_of(const Error& error) noexcept {
  switch (error.code()) {
    case Errc::invalid_argument:
      // A registry's 400 is no fault of the command line.
      return error.http() != nullptr ? kFailed : kWrongUse;
    case Errc::not_found:
      return kNotFound;
    case Errc::unauthenticated:
    case Errc::denied:
      return kNotAllowed;
    case Errc::cancelled:
      return kInterrupted;
    default:
      return kFailed;
  }
}

std::string error_sentence(const Error& error) {
  std::string line = "berth: " + error.describe() + remedy(error);
  if (error.http() != nullptr && !error.http()->correlation_id.empty()) {
    line += " (correlation id " + error.http()->correlation_id + ")";
  }
  return text::escape_for_terminal(line);
}

std::string error_json(const Error& error) {
  json::Node what = json::Node::object();
  what.set("message", error.describe());
  what.set("code", to_string(error.code()));
  what.set("exit_status", static_cast<int>(exit_status_of(error)));
  if (const HttpInfo* http = error.http()) {
    what.set("http_status", http->status);
    const auto set = [&](const char* name, const std::string& value) {
      if (!value.empty()) what.set(name, value);
    };
    set("registry_code", http->registry_code);
    set("registry_message", http->registry_message);
    set("correlation_id", http->correlation_id);
  }
  json::Node object = json::Node::object();
  object.set("error", std::move(what));
  return object.to_text();
}

}  // namespace berth::cli
