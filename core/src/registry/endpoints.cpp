// SPDX-License-Identifier: Apache-2.0
#include "registry/endpoints.hpp"

#include <chrono>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/text.hpp"

namespace berth::registry {
namespace {

// A mirror that is down costs its retries once in this time, not once a manifest.
constexpr std::chrono::seconds kMirrorRest{30};

std::int64_t ticks_of(const Endpoint& endpoint) {
  return endpoint.session->client().clock().ticks().time_since_epoch().count();
}

}  // namespace

Endpoints::Endpoints(std::string name, std::vector<Endpoint> endpoints)
    : name_(std::move(name)),
      endpoints_(std::move(endpoints)),
      rests_until_(std::make_unique<std::atomic<std::int64_t>[]>(endpoints_.size())) {}

http::Url Endpoints::url(const Endpoint& endpoint, const std::string& path) const {
  std::string target = endpoint.base.path_and_query() + "v2/" + path;
  // A cache that stands for several registries learns from ns= which one is meant (containerd's
  // hosts.md; distribution-spec, "Registry Proxying").
  if (is_mirror(endpoint)) {
    target += target.find('?') == std::string::npos ? "?ns=" : "&ns=";
    target += text::percent_encode(name_, ":");
  }
  return endpoint.base.with_path(target);
}

Result<http::Response> Endpoints::send(const Endpoint& endpoint, const Call& call,
                                       const Context& context) {
  return send_to(endpoint, call, url(endpoint, call.path), context);
}

Result<http::Response> Endpoints::send_to(const Endpoint& endpoint, const Call& call, http::Url url,
                                          const Context& context) {
  ++requests_;
  auto response = endpoint.session->send(request(endpoint, call, std::move(url)), call.scopes,
                                         call.repository, context);
  if (!response) return std::move(response).error().with_context(call.operation);
  return response;
}

http::Request Endpoints::request(const Endpoint& endpoint, const Call& call, http::Url url) {
  return {.method = call.method,
          .url = std::move(url),
          .headers = call.headers,
          .authorization = {},
          .body = call.body,
          .source = call.source,
          .patience = call.patience,
          .connection = endpoint.session->options().connection,
          .forbidden_addresses = {},
          .http1_only = call.is_body,
          .repeatable = call.repeatable};
}

Result<http::Response> Endpoints::send_away(const Endpoint& endpoint, const Call& call,
                                            const http::Url& url, const Context& context) {
  if (auto allowed = http::url_policy::check_redirect(endpoint.base, url); !allowed) {
    return std::move(allowed).error().with_context(call.operation);
  }
  ++requests_;
  http::Request request = this->request(endpoint, call, url);
  request.connection = http::url_policy::connection_for(request.connection, endpoint.base, url);
  request.forbidden_addresses = http::url_policy::forbidden_after_redirect(
      http::url_policy::classify_host(endpoint.base.origin().host));
  auto response = endpoint.session->client().send(std::move(request), context);
  if (!response) return std::move(response).error().with_context(call.operation);
  return response;
}

Error Endpoints::refusal(const Endpoint& endpoint, const Call& call, http::Response& response,
                         const Context& context) const {
  return http::error_from(response, call.method, call.operation,
                          endpoint.session->client().clock().now(), context);
}

bool Endpoints::may_ask(std::size_t index, For purpose) const {
  const Endpoint& endpoint = endpoints_[index];
  const bool able = purpose == For::pull ? endpoint.can_pull : endpoint.can_resolve;
  return able && ticks_of(endpoint) >= rests_until_[index];
}

void Endpoints::note_failure(std::size_t index, const Error& error) {
  const Endpoint& endpoint = endpoints_[index];
  if (error.code() == Errc::not_found) {
    log::debug(fmt::format("registry {}: mirror {} does not have it: {}", name_,
                           endpoint.base.origin().text(), error.message()));
    return;
  }
  log::warning(fmt::format("registry {}: mirror {} was passed: {}", name_,
                           endpoint.base.origin().text(), error.describe()));
  if (error.code() != Errc::unavailable && error.code() != Errc::rate_limited) return;
  rests_until_[index] = ticks_of(endpoint) + std::chrono::nanoseconds(kMirrorRest).count();
}

}  // namespace berth::registry
