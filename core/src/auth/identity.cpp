// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/identity.hpp"

#include <fmt/format.h>

#include "berth/auth/cloud.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::auth {

Result<std::string> authority_host(const IdentityOptions& options) {
  std::string host = options.authority_host;
  std::string where = "the authority host";
  if (host.empty()) {
    const auto named = options.environment("AZURE_AUTHORITY_HOST");
    if (!named) return std::string(clouds().front().authority_host);
    host = *named;
    where = "AZURE_AUTHORITY_HOST";
  }
  // Some write the host alone.
  if (host.find("://") == std::string::npos) host = "https://" + host;
  const auto url = http::Url::parse(host);
  // An application's secret goes there.
  if (url && http::url_policy::check_plain_http(*url, false)) {
    std::string text = url->text();
    while (text.ends_with('/')) text.pop_back();
    return text;
  }
  return Error(Errc::invalid_argument,
               fmt::format("{}: '{}' is no https URL, such as {}", where,
                           text::escape_for_terminal(host), clouds().front().authority_host));
}

}  // namespace berth::auth
