// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/managed_identity.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "berth/auth/client_credentials.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/crypto/certificate.hpp"
#include "berth/http/limits.hpp"
#include "berth/http/pinned_transport.hpp"
#include "berth/json/value.hpp"

#include "auth/arc_challenge.hpp"
#include "auth/identity_network.hpp"
#include "auth/identity_rules.hpp"
#include "auth/managed_source.hpp"
#include "auth/token_answer.hpp"
#include "auth/token_memory.hpp"

namespace berth::auth {
namespace {

using std::chrono::milliseconds;

constexpr const char* kName = "ManagedIdentityCredential";
constexpr milliseconds kProbeTime{1000};
/// An endpoint is near: it answers soon, or there is none.
constexpr std::chrono::seconds kAnswerTime{20};
constexpr int kAttempts = 6;
constexpr milliseconds kFirstDelay{800};
/// 410: IMDS is being updated, which takes up to 70 s.
constexpr milliseconds kUpdateDelay{3000};

bool is_worth_another_try(ManagedSource source, int status) {
  if (status == 429 || status >= 500) return true;
  // 404: the machine has just started, and its identity is on the way.
  return source == ManagedSource::imds && (status == 404 || status == 410);
}

int count_of(const ManagedIdentity& identity) {
  return static_cast<int>(!identity.client_id.empty()) +
         static_cast<int>(!identity.object_id.empty()) +
         static_cast<int>(!identity.resource_id.empty());
}

/// What Arc's answer says of itself under the names of the question.
Result<void> check_echo(std::string_view body, const ManagedIdentity& identity) {
  const json::Document document =
      TRY(json::Document::parse(body, {.bytes = http::limits::kTokenBody, .depth = 16}));
  const std::pair<const char*, const std::string&> asked[] = {{"client_id", identity.client_id},
                                                              {"object_id", identity.object_id},
                                                              {"msi_res_id", identity.resource_id}};
  for (const auto& [name, wanted] : asked) {
    if (wanted.empty()) continue;
    const std::string got = TRY(document.root().string_or_empty(name));
    if (text::equals_ignoring_case(got, wanted)) continue;
    return Error(
        Errc::not_found,
        fmt::format("the agent gave another identity than that of the {} asked for", name));
  }
  return {};
}

/// Service Fabric's certificate is signed by nobody: the environment names it. That endpoint is on
/// this machine or beside it, so nobody else's transport will do.
IdentityOptions options_at(const ManagedEndpoint& endpoint, IdentityOptions options) {
  if (endpoint.source == ManagedSource::service_fabric) {
    options.endpoint_transport = http::make_pinned_transport(
        [thumbprint = endpoint.thumbprint](std::string_view pem) {
          const auto shown = crypto::thumbprint(pem);
          return shown && text::equals_ignoring_case(*shown, thumbprint);
        },
        {.use_proxy_environment = false, .environment = {}});
  }
  return with_transports(std::move(options));
}

/// On AKS the identity of a pod is no endpoint's: the cluster vouches for it by a file, as the
/// environment says. nullptr where it does not, or an identity of another kind is meant.
std::unique_ptr<TokenCredential> federated(const ManagedIdentity& identity,
                                           const IdentityOptions& options) {
  if (!identity.object_id.empty() || !identity.resource_id.empty()) return nullptr;
  const auto says = [&](const char* name) {
    return !options.environment(name).value_or("").empty();
  };
  const bool client = !identity.client_id.empty() || says("AZURE_CLIENT_ID");
  if (!client || !says("AZURE_TENANT_ID") || !says("AZURE_FEDERATED_TOKEN_FILE")) return nullptr;
  return std::make_unique<WorkloadIdentityCredential>(
      WorkloadIdentity{.client_id = identity.client_id}, options);
}

}  // namespace

struct ManagedIdentityCredential::Impl {
  Impl(ManagedIdentity which, IdentityOptions with)
      : identity(std::move(which)),
        exchange(federated(identity, with)),
        endpoint(find_managed_endpoint(with.environment, identity)),
        options(options_at(endpoint, std::move(with))),
        network(options),
        memory(*options.clock) {}

  Error failed(std::string_view why) const {
    return not_available(kName, fmt::format("{}: {}", name_of(endpoint.source), why));
  }
  Result<AccessToken> fetch(const TokenRequest& request, const Context& context);
  Result<void> probe(const Context& context);
  Result<http::Response> send(const http::Request& request, const Context& context);
  Result<http::Response> send_with_retries(const http::Request& request, const Context& context);
  Result<http::Response> send_as_arc(http::Request request, const Context& context);
  Error refused(http::Response& response, const Context& context) const;

  const ManagedIdentity identity;
  const std::unique_ptr<TokenCredential> exchange;  ///< in the place of the endpoint
  const ManagedEndpoint endpoint;
  const IdentityOptions options;
  IdentityNetwork network;
  TokenMemory memory;
};

/// Whatever answers is enough; but Docker Desktop answers 403 in the place of IMDS.
Result<void> ManagedIdentityCredential::Impl::probe(const Context& context) {
  http::Request request;
  request.url = TRY(http::Url::parse(endpoint.url));
  request.follow_redirects = false;
  request.allow_plain_http = true;
  request.forbidden_addresses = {http::AddressClass::global};
  const Context brief = context.with_timeout(kProbeTime);
  auto answer = network.endpoints().send(std::move(request), brief);
  if (!answer) {
    TRY(context.check());
    return failed(fmt::format("nobody answers at {} within a second: no machine of Azure",
                              text::escape_for_terminal(endpoint.url)));
  }
  if (answer->status != 403) return {};
  const auto body = http::read_all(*answer->body, http::limits::kErrorBody, brief);
  if (body && body->find("unreachable") != std::string::npos) return failed("it is unreachable");
  return {};
}

Result<http::Response> ManagedIdentityCredential::Impl::send(const http::Request& request,
                                                             const Context& context) {
  auto answer = network.endpoints().send(request, context.with_timeout(kAnswerTime));
  if (answer) return answer;
  TRY(context.check());
  if (answer.error().code() == Errc::untrusted && request.url.origin().scheme == "http") {
    return failed(fmt::format("{} is plain http and leads out of this network: it is not asked",
                              text::escape_for_terminal(endpoint.url)));
  }
  return failed(answer.error().message());
}

Result<http::Response> ManagedIdentityCredential::Impl::send_with_retries(
    const http::Request& request, const Context& context) {
  milliseconds delay{0};
  for (int attempt = 1;; ++attempt) {
    http::Response response = TRY(send(request, context));
    const int status = response.status;
    if (attempt == kAttempts || !is_worth_another_try(endpoint.source, status)) return response;
    delay = delay == milliseconds{0} ? kFirstDelay : delay * 2;
    if (status == 410) delay = std::max(delay, kUpdateDelay);
    milliseconds pause = delay;
    if (const std::string* after = response.headers.find("Retry-After")) {
      const auto asked = http::parse_retry_after(*after, options.clock->now());
      if (asked) pause = std::min<milliseconds>(*asked, http::limits::kRetryAfterCap);
    }
    http::drain(response, context);
    TRY(options.clock->sleep(pause, context));
  }
}

Result<http::Response> ManagedIdentityCredential::Impl::send_as_arc(http::Request request,
                                                                    const Context& context) {
  http::Response challenge = TRY(send_with_retries(request, context));
  if (challenge.status != 401) return challenge;
  const std::string* header = challenge.headers.find("WWW-Authenticate");
  auto key =
      answer_arc_challenge(header == nullptr ? std::string_view() : *header, identity.arc_keys);
  if (!key) return failed(key.error().message());
  http::drain(challenge, context);
  request.authorization = Secret("Basic " + key->reveal());
  return send_with_retries(request, context);
}

Error ManagedIdentityCredential::Impl::refused(http::Response& response,
                                               const Context& context) const {
  const auto body = http::read_all(*response.body, http::limits::kErrorBody, context);
  const TokenRefusal refusal = parse_token_refusal(body ? *body : std::string());
  std::string said = fmt::format("HTTP {}", response.status);
  if (!refusal.error.empty()) said += " " + refusal.error;
  if (!refusal.description.empty()) said += ": " + refusal.description;
  if (response.status == 400 && count_of(identity) > 0) {
    said += "; is the identity that AZURE_CLIENT_ID or the options name assigned to this machine?";
  } else if (response.status == 400) {
    said += "; this machine has no identity, or several: name one by AZURE_CLIENT_ID";
  }
  return failed(said);
}

Result<AccessToken> ManagedIdentityCredential::Impl::fetch(const TokenRequest& request,
                                                           const Context& context) {
  if (count_of(identity) > 1) {
    return Error(Errc::invalid_argument,
                 fmt::format("{}: a client id, an object id or a resource id, not several", kName));
  }
  const std::string resource = resource_of(TRY(single_scope(request, kName)));
  if (endpoint.source == ManagedSource::imds && identity.probe) TRY(probe(context));
  auto question = managed_request(endpoint, identity, resource);
  if (!question) return failed(question.error().message());
  const bool arc = endpoint.source == ManagedSource::arc;
  http::Response response =
      TRY(arc ? send_as_arc(*std::move(question), context) : send_with_retries(*question, context));
  if (response.status != 200) return refused(response, context);
  const auto body = http::read_all(*response.body, http::limits::kTokenBody, context);
  if (!body) return failed(body.error().message());
  if (arc) {
    if (auto same = check_echo(*body, identity); !same) return failed(same.error().message());
  }
  auto token = parse_token_answer(*body, options.clock->now());
  if (!token) return failed(token.error().message());
  return token;
}

ManagedIdentityCredential::ManagedIdentityCredential(ManagedIdentity identity,
                                                     IdentityOptions options)
    : impl_(std::make_unique<Impl>(std::move(identity), std::move(options))) {}
ManagedIdentityCredential::~ManagedIdentityCredential() = default;

Result<AccessToken> ManagedIdentityCredential::get_token(const TokenRequest& request,
                                                         const Context& context) {
  if (impl_->exchange == nullptr) {
    return impl_->memory.get(request, context, [&] { return impl_->fetch(request, context); });
  }
  auto token = impl_->exchange->get_token(request, context);
  if (token) return token;
  return Error(std::move(token).error()).with_context(kName);
}

std::string ManagedIdentityCredential::name() const { return kName; }

std::string ManagedIdentityCredential::identity_key() const {
  const ManagedIdentity& identity = impl_->identity;
  if (impl_->exchange != nullptr) return impl_->exchange->identity_key();
  return fmt::format("{} {} {} {} {} {}", kName, name_of(impl_->endpoint.source),
                     impl_->endpoint.url, identity.client_id, identity.object_id,
                     identity.resource_id);
}

}  // namespace berth::auth
