// SPDX-License-Identifier: Apache-2.0
// The command lines of az, azd and pwsh, and their answers. Nothing secret is in an argument, and
// what is was checked against a grammar that has no quote in it.
#include <ctime>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"
#include "berth/json/value.hpp"

#include "auth/identity_rules.hpp"
#include "auth/token_answer.hpp"
#include "auth/tool_runner.hpp"

namespace berth::auth {
namespace {

Result<json::Document> document_of(std::string_view output) {
  return json::Document::parse(text::trim(output),
                               {.bytes = http::limits::kTokenBody, .depth = 16});
}

Result<Secret> token_in(const json::Value& root, std::string_view name) {
  std::string token = TRY(root.string_or_empty(name));
  if (token.empty()) return Error(Errc::corrupt, fmt::format("its answer has no {}", name));
  return Secret(std::move(token));
}

std::optional<Clock::SystemTime> epoch_in(const json::Value& root, std::string_view name) {
  const auto value = root.find(name);
  const auto seconds = value ? value->as_int() : Result<std::int64_t>(0);
  if (!value || !seconds || *seconds <= 0) return std::nullopt;
  return std::chrono::system_clock::from_time_t(*seconds);
}

/// "2026-11-22 09:00:00.000000": az before 2.54 says it in local time alone.
std::optional<Clock::SystemTime> local_date(std::string_view text) {
  std::tm fields{};
  const std::string copy(text.substr(0, 32));
  if (::strptime(copy.c_str(), "%Y-%m-%d %H:%M:%S", &fields) == nullptr) return std::nullopt;
  fields.tm_isdst = -1;
  const std::time_t time = ::mktime(&fields);
  if (time == -1) return std::nullopt;
  return std::chrono::system_clock::from_time_t(time);
}

std::vector<std::string> az_arguments(const ToolQuestion& question) {
  std::vector<std::string> arguments{"account", "get-access-token", "--output",
                                     "json",    "--resource",       resource_of(question.scope)};
  if (!question.tenant.empty()) {
    arguments.insert(arguments.end(), {"--tenant", question.tenant});
  }
  if (!question.subscription.empty()) {
    arguments.insert(arguments.end(), {"--subscription", question.subscription});
  }
  return arguments;
}

Result<AccessToken> parse_az(std::string_view output) {
  const json::Document document = TRY(document_of(output));
  const json::Value root = document.root();
  Secret token = TRY(token_in(root, "accessToken"));
  auto end = epoch_in(root, "expires_on");
  if (!end) end = local_date(TRY(root.string_or_empty("expiresOn")));
  if (!end) return Error(Errc::corrupt, "its answer does not say when the token ends");
  return AccessToken{.token = std::move(token), .expires_on = *end, .refresh_on = {}};
}

std::vector<std::string> azd_arguments(const ToolQuestion& question) {
  std::vector<std::string> arguments{"auth",        "token",   "--output",    "json",
                                     "--no-prompt", "--scope", question.scope};
  if (!question.tenant.empty()) {
    arguments.insert(arguments.end(), {"--tenant-id", question.tenant});
  }
  return arguments;
}

Result<AccessToken> parse_azd(std::string_view output) {
  const json::Document document = TRY(document_of(output));
  const json::Value root = document.root();
  Secret token = TRY(token_in(root, "token"));
  const auto end = parse_token_date(TRY(root.string_or_empty("expiresOn")));
  if (!end) return Error(Errc::corrupt, "its answer does not say when the token ends");
  return AccessToken{.token = std::move(token), .expires_on = *end, .refresh_on = {}};
}

/// Az.Accounts gives a plain string, a SecureString on demand, or (since 5.0) nothing else.
std::vector<std::string> pwsh_arguments(const ToolQuestion& question) {
  const std::string tenant =
      question.tenant.empty() ? "" : fmt::format("$ask['TenantId'] = '{}'; ", question.tenant);
  return {
      "-NoProfile", "-NonInteractive", "-Command",
      fmt::format("$ErrorActionPreference = 'Stop'; "
                  "$az = Import-Module Az.Accounts -MinimumVersion 2.2.0 -PassThru; "
                  "$ask = @{{ ResourceUrl = '{}' }}; {}"
                  "if ($az.Version -ge [version]'2.17.0' -and $az.Version -lt [version]'5.0.0') "
                  "{{ $ask['AsSecureString'] = $true }}; "
                  "$got = Get-AzAccessToken @ask; $token = $got.Token; "
                  "if ($token -is [System.Security.SecureString]) "
                  "{{ $token = [System.Net.NetworkCredential]::new('', $token).Password }}; "
                  "@{{ Token = $token; ExpiresOn = $got.ExpiresOn.ToUnixTimeSeconds() }} | "
                  "ConvertTo-Json -Compress",
                  resource_of(question.scope), tenant)};
}

Result<AccessToken> parse_pwsh(std::string_view output) {
  const json::Document document = TRY(document_of(output));
  const json::Value root = document.root();
  Secret token = TRY(token_in(root, "Token"));
  const auto end = epoch_in(root, "ExpiresOn");
  if (!end) return Error(Errc::corrupt, "its answer does not say when the token ends");
  return AccessToken{.token = std::move(token), .expires_on = *end, .refresh_on = {}};
}

}  // namespace

Tool azure_cli() {
  return {.credential = "AzureCliCredential",
          .program = "az",
          .login = "az login",
          .arguments = az_arguments,
          .parse = parse_az,
          .not_logged_in = {"az login", "az account set"},
          .no_module = {},
          .state = credential::kAzState};
}

Tool azure_power_shell() {
  return {.credential = "AzurePowerShellCredential",
          .program = "pwsh",
          .login = "Connect-AzAccount",
          .arguments = pwsh_arguments,
          .parse = parse_pwsh,
          .not_logged_in = {"Connect-AzAccount"},
          .no_module = "The specified module 'Az.Accounts'",
          .state = credential::kPwshState};
}

Tool azure_developer_cli() {
  return {.credential = "AzureDeveloperCliCredential",
          .program = "azd",
          .login = "azd auth login",
          .arguments = azd_arguments,
          .parse = parse_azd,
          .not_logged_in = {"azd auth login"},
          .no_module = {},
          .state = credential::kAzdState};
}

}  // namespace berth::auth
