// SPDX-License-Identifier: Apache-2.0
#include "identity.hpp"

#include "berth/auth/azure_registry.hpp"
#include "berth/auth/client_credentials.hpp"
#include "berth/auth/connection.hpp"
#include "berth/auth/identity_chain.hpp"
#include "berth/auth/session.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/config.hpp"
#include "berth/credential/keychain.hpp"
#include "berth/json/value.hpp"

#include "version.hpp"

namespace berth::cli {

namespace {

constexpr std::size_t kWorkloadLimit = 64 * 1024;

std::shared_ptr<auth::TokenCredential> credential_for(const std::optional<WorkloadToken>& workload,
                                                      auth::IdentityOptions identity) {
  if (!workload) {
    auth::DefaultCredentialOptions options;
    options.identity = std::move(identity);
    return std::make_shared<auth::DefaultAzureCredential>(std::move(options));
  }
  return std::make_shared<auth::ClientAssertionCredential>(
      auth::Application{.tenant_id = workload->tenant_id, .client_id = workload->client_id},
      [token = workload->token](const Context&) -> Result<Secret> { return token; }, "kubelet",
      std::move(identity));
}

/// Sees who of a chain answers.
class Witness final : public auth::TokenCredential {
 public:
  Witness(std::shared_ptr<TokenCredential> asked, std::string& given_by)
      : asked_(std::move(asked)),
        given_by_(given_by) {}
  Result<auth::AccessToken> get_token(const auth::TokenRequest& request,
                                      const Context& context) override {
    auto token = asked_->get_token(request, context);
    if (token) given_by_ = giver_of(*token, *asked_);
    return token;
  }
  std::string name() const override { return asked_->name(); }
  std::string identity_key() const override { return asked_->identity_key(); }

 private:
  std::shared_ptr<TokenCredential> asked_;
  std::string& given_by_;
};

/// As the hub would connect to it, by the configuration alone.
Result<auth::SessionOptions> session_options(const std::string& registry,
                                             const std::optional<WorkloadToken>& workload,
                                             const Environment& environment) {
  const credential::Config config = TRY(credential::load_config(environment));
  const auto said = credential::registry_config(config, registry, environment);
  const auth::AzureRegistry azure = auth::azure_registry(registry, config, environment);
  auth::SessionOptions options;
  options.plain_http_allowed = said.plain_http == true;
  options.registry =
      TRY(http::Url::parse((options.plain_http_allowed ? "http://" : "https://") + registry + "/"));
  options.name = registry;
  options.connection =
      std::make_shared<const http::ConnectionOptions>(auth::connection_options(said));
  options.is_acr = true;  // else nobody asks this
  options.audience = azure.audience;
  auth::IdentityOptions identity;
  identity.environment = environment;
  identity.authority_host = azure.authority_host;
  options.token_credential = credential_for(workload, std::move(identity));
  return options;
}

}  // namespace

Result<WorkloadToken> parse_workload(std::string_view text) {
  const json::Document document =
      TRY(json::Document::parse(text, {.bytes = kWorkloadLimit, .depth = 4}));
  const json::Value root = document.root();
  WorkloadToken workload;
  workload.client_id = TRY(root.string_or_empty("client_id"));
  workload.tenant_id = TRY(root.string_or_empty("tenant_id"));
  workload.token = Secret(TRY(root.string_or_empty("token")));
  if (!workload.client_id.empty() && !workload.tenant_id.empty() && !workload.token.empty()) {
    return workload;
  }
  return Error{Errc::invalid_argument,
               "standard input must give client_id, tenant_id and token of a workload"};
}

Result<credential::RefreshToken> identity_token(const std::string& registry,
                                                const std::optional<WorkloadToken>& workload,
                                                const Environment& environment,
                                                const Context& context, std::string* given_by) {
  auth::SessionOptions options = TRY(session_options(registry, workload, environment));
  if (given_by != nullptr) {
    options.token_credential = std::make_shared<Witness>(options.token_credential, *given_by);
  }
  const auto transport =
      http::make_curl_transport({.user_agent = std::string("berth/") + kVersion});
  http::Client client(*transport);
  credential::KeychainOptions none;
  none.environment = environment;
  credential::Keychain keychain(std::move(none));
  // Who shows an assertion is known to the authority alone: what it gave is kept for nobody here.
  auth::TokenStore tokens(workload ? std::nullopt : auth::token_folder(environment));
  auth::Session session(client, keychain, tokens, std::move(options));
  const auth::RefreshToken token = TRY(session.acr_refresh_token(context));
  return credential::RefreshToken{.value = token.token,
                                  .issued = token.renew_at - (token.expires - token.renew_at),
                                  .expires = token.expires};
}

Result<KnownIdentity> known_identity(const auth::SessionOptions& session, const Context& context) {
  auth::TokenCredential& credential = *session.token_credential;
  const auth::AccessToken token = TRY(
      credential.get_token({.scopes = {session.audience + "/.default"}, .tenant_id = {}}, context));
  return KnownIdentity{.credential = giver_of(token, credential), .claims = auth::claims_of(token)};
}

std::string KnownIdentity::text() const {
  std::string details;
  const auto add = [&](const char* what, const std::string& value) {
    if (value.empty()) return;
    details += (details.empty() ? " (" : ", ") + std::string(what) + " " +
               text::escape_for_terminal(value);
  };
  add("account", claims.account);
  add("tenant", claims.tenant_id);
  add("object id", claims.object_id);
  return credential + details + (details.empty() ? "" : ")");
}

}  // namespace berth::cli
