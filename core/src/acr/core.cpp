// SPDX-License-Identifier: Apache-2.0
#include "acr/core.hpp"

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"
#include "berth/oci/reference.hpp"
#include "berth/registry/quirks.hpp"

namespace berth::acr {
namespace {

Result<http::Url> parse_endpoint(std::string_view endpoint, bool insecure) {
  const bool has_scheme = endpoint.find("://") != std::string_view::npos;
  auto url =
      http::Url::parse(has_scheme ? std::string(endpoint) : fmt::format("https://{}", endpoint));
  if (!url) return std::move(url).error().with_context("the endpoint of the registry");
  if (url->path_and_query() != "/") {
    return Error(Errc::invalid_argument,
                 fmt::format("'{}' is no endpoint of a registry: it is https:// and a host",
                             text::escape_for_terminal(endpoint)));
  }
  TRY(http::url_policy::check_plain_http(*url, insecure));
  return url;
}

std::string without_scheme(const std::string& origin) {
  return origin.substr(origin.find("://") + 3);
}

http::RetryPolicy retry_policy(const RetryOptions& retry) {
  return {.attempts = 1 + std::max(0, retry.max_retries),
          .first_delay = retry.retry_delay,
          .max_delay = retry.max_retry_delay};
}

/// Nothing of the machine is read: who gives no keychain means what he gave, or nobody.
std::shared_ptr<credential::Keychain> keychain_of(const ContainerRegistryClientOptions& options) {
  if (options.token_credential != nullptr && options.keychain == nullptr) {
    credential::KeychainOptions nobody;
    nobody.environment = [](const std::string&) { return std::nullopt; };
    nobody.explicit_credential = credential::Credential{.source = "the options of the client"};
    return std::make_shared<credential::Keychain>(std::move(nobody));
  }
  if (options.keychain != nullptr && !options.credential) return options.keychain;
  credential::Credential credential = options.credential.value_or(credential::Credential{});
  if (credential.source.empty()) credential.source = "the options of the client";
  credential::KeychainOptions keychain;
  keychain.environment = [](const std::string&) { return std::nullopt; };
  keychain.explicit_credential = std::move(credential);
  keychain.clock = options.clock;
  return std::make_shared<credential::Keychain>(std::move(keychain));
}

auth::SessionOptions session_options(const http::Url& base, const std::string& name,
                                     const ContainerRegistryClientOptions& options) {
  auth::SessionOptions session{.registry = base, .name = name};
  session.connection = std::make_shared<const http::ConnectionOptions>(options.connection);
  session.plain_http_allowed = options.allow_insecure_connection;
  session.token_credential = options.token_credential;
  session.is_acr = options.token_credential != nullptr;
  session.anonymous_first = session.is_acr && options.keychain != nullptr;
  session.audience = options.audience;
  session.acr_api_version = options.service_version;
  return session;
}

/// What came of the body of a refusal; where it breaks is no reason to fail otherwise.
std::string read_some(http::Body& body, const Context& until) {
  const Context context = until.with_timeout(std::chrono::seconds(5));
  std::string out;
  while (out.size() < http::limits::kErrorBody) {
    const auto block = body.next(context);
    if (!block || block->empty()) break;
    out += as_text(*block).substr(0, http::limits::kErrorBody - out.size());
  }
  return out;
}

void show(const OperationOptions& options, const Call& call, const http::Response& response,
          const std::string& body) {
  if (!options.on_response) return;
  options.on_response({.status = response.status,
                       .method = call.method,
                       .url = response.url.text(),
                       .headers = response.headers,
                       .body = body});
}

Result<std::string> id_of(const OperationOptions& options) {
  if (!options.client_request_id.empty()) return options.client_request_id;
  return new_uuid();
}

}  // namespace

Result<std::shared_ptr<Core>> Core::make(std::string_view endpoint,
                                         ContainerRegistryClientOptions options) {
  auto base = TRY(parse_endpoint(endpoint, options.allow_insecure_connection));
  return std::shared_ptr<Core>(new Core(std::move(base), std::move(options)));
}

Core::Core(http::Url base, ContainerRegistryClientOptions options)
    : options_(std::move(options)),
      base_(std::move(base)),
      endpoint_(base_.origin().text()),
      name_(without_scheme(endpoint_)),
      pipeline_(options_, base_.origin()),
      http_(pipeline_, {.retry = retry_policy(options_.retry),
                        .max_redirects = options_.max_redirects,
                        .clock = options_.clock}),
      keychain_(keychain_of(options_)),
      tokens_(options_.tokens != nullptr
                  ? options_.tokens
                  : std::make_shared<auth::TokenStore>(options_.token_folder, *options_.clock)),
      session_(http_, *keychain_, *tokens_, session_options(base_, name_, options_)),
      registry_(name_, {registry::Endpoint{.base = base_, .session = &session_}}) {}

Result<Pipeline::Dress> Core::dress(const OperationOptions& options) {
  return Pipeline::Dress(pipeline_, {.options = &options, .id = TRY(id_of(options))});
}

bool Core::is_azure() const {
  return options_.token_credential != nullptr || registry::quirks::is_azure(name_) ||
         pipeline_.saw_azure();
}

std::string Core::path(std::initializer_list<std::string_view> segments) {
  std::string out = "/acr/v1";
  for (const std::string_view segment : segments) out += "/" + text::percent_encode(segment);
  return out;
}

std::string Core::query(Parameters parameters) {
  std::string out;
  for (const auto& [key, value] : parameters) {
    if (value.empty()) continue;
    out += fmt::format("{}{}={}", out.empty() ? '?' : '&', key, text::percent_encode(value));
  }
  return out;
}

http::Request Core::request(const Call& call) const {
  http::Request request;
  request.method = call.method;
  request.url = base_.with_path(call.target);
  request.body = call.body;
  request.repeatable = call.repeatable;
  request.headers.add("Accept", "application/json");
  if (!call.body.empty()) request.headers.add("Content-Type", "application/json");
  return request;
}

Result<Answer> Core::send(const Call& call, const OperationOptions& options, const Context& context,
                          bool ignore_not_found) {
  const std::string id = TRY(id_of(options));
  const Pipeline::Watch watch(pipeline_, id);
  // Shown from here, with its body.
  const Pipeline::Dress dress(pipeline_, {.options = &options, .id = id, .shows = false});
  auto sent = session_.send(request(call), call.scopes, call.repository, context);
  if (!sent) return std::move(sent).error().with_context(call.operation);
  http::Response& response = *sent;
  if (response.status < 200 || response.status > 299) {
    const std::string body = read_some(*response.body, context);
    show(options, call, response, body);
    response.body = http::make_string_body(body);
    Error refused = refusal(call, response, context);
    const bool gone = refused.code() == Errc::not_found && call.method == "DELETE" &&
                      (ignore_not_found || watch.uncertain());
    if (!gone) return refused;
    return Answer{response.status, std::move(response.headers), {}, watch.uncertain()};
  }
  auto body = http::read_all(*response.body, http::limits::kPageBody, context);
  if (!body) return std::move(body).error().with_context(call.operation);
  show(options, call, response, *body);
  return Answer{response.status, std::move(response.headers), *std::move(body)};
}

Error Core::refusal(const Call& call, http::Response& response, const Context& context) const {
  Error plain = http::error_from(response, call.method, call.operation, clock().now(), context);
  const HttpInfo info = *plain.http();
  // It says 404 without a word where it has no such API.
  if (info.status == 404 && info.registry_code.empty()) {
    return Error(Errc::unsupported,
                 fmt::format("{}: {} has no such API: it is no Azure container registry, or the "
                             "address is not its own (HTTP 404)",
                             call.operation, name_))
        .with_http(info);
  }
  return plain;
}

auth::Scopes repository_scopes(std::string_view repository, std::string_view actions) {
  return auth::Scopes::parse(fmt::format("repository:{}:{}", repository, actions));
}

Result<void> check_repository_name(const std::string& name) {
  if (oci::is_repository(name)) return {};
  return Error(Errc::invalid_argument,
               fmt::format("'{}' is no repository name: lower-case letters and digits, parted by "
                           "'.', '_', '__' or '-', in components parted by '/'",
                           text::escape_for_terminal(name)));
}

Result<void> check_tag(const std::string& tag) {
  if (oci::is_tag(tag)) return {};
  return Error(Errc::invalid_argument,
               fmt::format("'{}' is no tag: at most 128 letters, digits, '.', '_' and '-', not "
                           "beginning with '.' or '-'",
                           text::escape_for_terminal(tag)));
}

}  // namespace berth::acr
