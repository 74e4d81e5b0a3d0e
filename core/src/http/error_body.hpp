// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace berth::http {

struct RegistryError {
  std::string code;
  std::string message;
  std::string detail{};  ///< JSON of any type, as it came
};

/// The first entry of an OCI error list ("Error Codes" of distribution-spec):
/// {"errors":[{"code":"...","message":"...","detail":...}]}; also what token servers and gateways
/// send in its place: {"error":"...","error_description":"..."}, {"error":{"code","message"}},
/// {"message":"..."}, {"details":"..."}. Empty strings where there is none. Reads leniently: it is
/// for messages, and nothing is decided by it but by the caller's look at `code`. Long texts are
/// cut.
RegistryError parse_error_body(std::string_view body);

}  // namespace berth::http
