// SPDX-License-Identifier: Apache-2.0
#include "auth/client_flow.hpp"

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

#include "auth/authority.hpp"
#include "auth/identity_rules.hpp"

namespace berth::auth {

ClientFlow::ClientFlow(std::string who, Application application, std::string identity, Proof proof,
                       IdentityOptions options)
    : who_(std::move(who)),
      application_(std::move(application)),
      identity_(std::move(identity)),
      proof_(std::move(proof)),
      options_(with_transports(std::move(options))),
      network_(options_),
      memory_(*options_.clock) {}

std::string ClientFlow::identity_key() const {
  const auto host = authority_host(options_);
  return fmt::format("{} {} {} {} {}", who_, host ? *host : std::string(), application_.tenant_id,
                     application_.client_id, identity_);
}

Result<AccessToken> ClientFlow::get_token(const TokenRequest& request, const Context& context) {
  return memory_.get(request, context, [&] { return fetch(request, context); });
}

Result<AccessToken> ClientFlow::fetch(const TokenRequest& request, const Context& context) {
  if (application_.tenant_id.empty() || application_.client_id.empty()) {
    return Error(
        Errc::invalid_argument,
        fmt::format("{}: the tenant and the client id of the application must be given", who_));
  }
  const std::string scope = TRY(single_scope(request, who_));
  const std::string tenant =
      TRY(tenant_for(request, application_.tenant_id, options_.additionally_allowed_tenants, who_));
  const std::string host = TRY(authority_host(options_));
  const Secret proof = TRY(proof_(token_endpoint(host, tenant), context));
  return ask_authority(network_.authority(),
                       {.who = who_,
                        .host = host,
                        .tenant = tenant,
                        .client_id = application_.client_id,
                        .scope = scope,
                        .proof = proof},
                       context);
}

Secret assertion_form(const Secret& assertion) {
  return Secret(
      "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
      "&client_assertion=" +
      text::percent_encode(assertion.reveal()));
}

}  // namespace berth::auth
