// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/session.hpp"

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

#include "auth/acr_exchange.hpp"
#include "auth/acr_login.hpp"
#include "auth/exchange.hpp"
#include "auth/token_cache.hpp"

namespace berth::auth {

struct Session::Impl {
  http::Client& client;
  credential::Keychain& keychain;
  TokenCache& tokens;
  SessionOptions options;
};

Session::Session(http::Client& client, credential::Keychain& keychain, TokenStore& tokens,
                 SessionOptions options)
    : impl_(new Impl{.client = client,
                     .keychain = keychain,
                     .tokens = tokens.impl_->cache,
                     .options = std::move(options)}) {}
Session::~Session() = default;

Result<http::Response> Session::send(http::Request request, const Scopes& scopes,
                                     const std::string& repository, const Context& context) {
  if (request.url.origin() != impl_->options.registry.origin()) {
    return Error(Errc::internal, fmt::format("a request to {} was given to the session of {}",
                                             text::escape_for_terminal(request.url.redacted()),
                                             impl_->options.name));
  }
  if (context.is_nonblocking()) {
    return Error(Errc::would_block, fmt::format("{} must be asked first", impl_->options.name));
  }
  if (request.connection == nullptr) request.connection = impl_->options.connection;
  request.allow_plain_http = request.allow_plain_http || impl_->options.plain_http_allowed;
  Exchange exchange(impl_->client, impl_->keychain, impl_->tokens, impl_->options, scopes,
                    repository, context);
  return exchange.run(std::move(request));
}

Result<Secret> Session::authorization(const Scopes& scopes, const std::string& repository,
                                      const Context& context) {
  http::Request ping;
  ping.url = impl_->options.registry.with_path("/v2/");
  ping.connection = impl_->options.connection;
  ping.allow_plain_http = impl_->options.plain_http_allowed;
  Exchange exchange(impl_->client, impl_->keychain, impl_->tokens, impl_->options, scopes,
                    repository, context);
  http::Response response = TRY(exchange.run(std::move(ping)));
  const std::string& name = impl_->options.name;
  if (response.status >= 400) {
    return http::error_from(response, "GET", name, impl_->client.clock().now(), context);
  }
  return exchange.authorization();
}

Result<RefreshToken> Session::acr_refresh_token(const Context& context) {
  const SessionOptions& options = impl_->options;
  if (options.token_credential == nullptr) {
    return Error(Errc::invalid_argument,
                 fmt::format("{}: no Entra ID identity was given", options.name));
  }
  const AcrExchange exchange(impl_->client, impl_->tokens, options, service_name(options));
  const auto issued = TRY(exchange.refresh_token(Secret(), context));
  return RefreshToken{.token = issued.token.value,
                      .expires = issued.token.expires,
                      .renew_at = issued.token.refresh_at};
}

http::Client& Session::client() const noexcept { return impl_->client; }
const SessionOptions& Session::options() const noexcept { return impl_->options; }

}  // namespace berth::auth
