// SPDX-License-Identifier: Apache-2.0
#include "auth/authority.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"

#include "auth/identity_rules.hpp"
#include "auth/token_answer.hpp"

namespace berth::auth {
namespace {

constexpr std::string_view kAdfsPath = "/adfs/oauth2/token";

/// The codes of Entra ID that people meet, and what they do then.
constexpr std::array kRemedies = {
    std::pair{"AADSTS7000215",
              "the client secret is wrong: AZURE_CLIENT_SECRET takes its value, not its id"},
    std::pair{"AADSTS7000222",
              "the client secret has expired: make a new one for the application, and set "
              "AZURE_CLIENT_SECRET to it"},
    std::pair{"AADSTS700016",
              "there is no such application in this tenant: check AZURE_CLIENT_ID and "
              "AZURE_TENANT_ID"},
    std::pair{"AADSTS90002",
              "there is no such tenant: check AZURE_TENANT_ID, and "
              "AZURE_AUTHORITY_HOST where the tenant is of a national cloud"},
    std::pair{"AADSTS900023", "that is no tenant: check AZURE_TENANT_ID"},
    std::pair{"AADSTS900382", "the authority is of another cloud: check AZURE_AUTHORITY_HOST"},
    std::pair{
        "AADSTS700027",
        "the certificate is not one of the application's, or has expired: upload it there, or "
        "check AZURE_CLIENT_CERTIFICATE_PATH"},
    std::pair{"AADSTS700024",
              "the clock of this machine is off, or the token that vouches has expired: set the "
              "clock right"},
    std::pair{"AADSTS700021",
              "the assertion is not one for this application: check AZURE_CLIENT_ID"},
    std::pair{"AADSTS70021",
              "no federated credential of the application fits this token: its issuer, subject and "
              "audience must be those of the service account"},
    std::pair{"AADSTS700211", "no federated credential of the application has this issuer"},
    std::pair{"AADSTS700212", "no federated credential of the application has this audience"},
    std::pair{"AADSTS700213", "no federated credential of the application has this subject"},
    std::pair{"AADSTS65001",
              "nobody has consented to this application: an administrator of the tenant must"},
    std::pair{"AADSTS500011",
              "the tenant knows no such audience: check the audience, and AZURE_TENANT_ID"},
    std::pair{"AADSTS650057", "the application has no permission for this audience"},
    std::pair{"AADSTS7000112", "the application is disabled"},
    std::pair{"AADSTS7000229",
              "the application has no service principal in this tenant: an administrator must add "
              "it"},
    std::pair{"AADSTS53003", "a conditional access policy of the tenant forbids it from here"},
    std::pair{"AADSTS50076", "the tenant asks for a second factor: log in by `az login`"},
};

std::string words(const TokenRefusal& refusal, int status) {
  std::string text = fmt::format("HTTP {}", status);
  if (!refusal.error.empty()) text += " " + refusal.error;
  if (!refusal.description.empty()) text += ": " + refusal.description;
  if (!refusal.correlation_id.empty()) text += "; correlation id " + refusal.correlation_id;
  return text;
}

Error refused(http::Response& response, const AuthorityRequest& request, http::Client& client,
              const Context& context) {
  const auto body = http::read_all(*response.body, http::limits::kErrorBody, context);
  const TokenRefusal refusal = parse_token_refusal(body ? *body : std::string());
  response.body = http::make_string_body({});
  const std::string what =
      fmt::format("{}: Microsoft Entra ID at {}, tenant {}, client {}", request.who, request.host,
                  request.tenant, text::escape_for_terminal(request.client_id));
  const Error plain = http::error_from(response, "POST", what, client.clock().now(), context,
                                       http::Login::elsewhere);
  HttpInfo info = *plain.http();
  info.registry_code = refusal.code.empty() ? refusal.error : refusal.code;
  info.registry_message = refusal.description;
  const bool again = info.status == 429 || info.status >= 500;
  std::string text = fmt::format("{}, {} ({})", what, again ? "failed" : "refused it",
                                 words(refusal, info.status));
  if (const std::string_view remedy = remedy_for(refusal.code); !remedy.empty()) {
    text += fmt::format(": {}", remedy);
  }
  Errc code = Errc::unauthenticated;
  if (again) code = info.status == 429 ? Errc::rate_limited : Errc::unavailable;
  return Error(code, std::move(text)).with_http(std::move(info)).retryable(again);
}

}  // namespace

std::string_view remedy_for(std::string_view code) {
  for (const auto& [known, remedy] : kRemedies) {
    if (code == known) return remedy;
  }
  return {};
}

std::vector<std::string_view> known_refusals() {
  std::vector<std::string_view> codes;
  codes.reserve(std::size(kRemedies));
  for (const auto& row : kRemedies) codes.emplace_back(row.first);
  return codes;
}

std::string token_endpoint(const std::string& host, const std::string& tenant) {
  if (tenant == "adfs") return host + std::string(kAdfsPath);
  return fmt::format("{}/{}/oauth2/v2.0/token", host, tenant);
}

bool is_adfs(std::string_view endpoint) { return endpoint.ends_with(kAdfsPath); }

Result<AccessToken> ask_authority(http::Client& client, const AuthorityRequest& request,
                                  const Context& context) {
  http::Request post;
  post.method = "POST";
  post.url = TRY(http::Url::parse(token_endpoint(request.host, request.tenant)));
  post.headers.add("Accept", "application/json");
  post.headers.add("Content-Type", "application/x-www-form-urlencoded;charset=utf-8");
  post.body = fmt::format("client_id={}&scope={}&grant_type=client_credentials&{}",
                          text::percent_encode(request.client_id),
                          text::percent_encode(request.scope), request.proof.reveal());
  post.follow_redirects = false;
  post.repeatable = true;  // it changes nothing but who holds a token
  auto answer = client.send(std::move(post), context);
  if (!answer) {
    return Error(std::move(answer).error())
        .with_context(fmt::format("{}: asking Microsoft Entra ID", request.who));
  }
  if (answer->status != 200) return refused(*answer, request, client, context);
  const auto body = TRY(http::read_all(*answer->body, http::limits::kTokenBody, context));
  auto token = parse_token_answer(body, client.clock().now());
  if (!token) return Error(std::move(token).error()).with_context(request.who);
  return token;
}

}  // namespace berth::auth
