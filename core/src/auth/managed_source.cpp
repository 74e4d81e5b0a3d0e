// SPDX-License-Identifier: Apache-2.0
#include "auth/managed_source.hpp"

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::auth {
namespace {

constexpr std::string_view kImdsHost = "http://169.254.169.254";
constexpr std::string_view kTokenPath = "/metadata/identity/oauth2/token";
constexpr std::string_view kArc = "http://127.0.0.1:40342/metadata/identity/oauth2/token";

bool wants_one(const ManagedIdentity& identity) {
  return !identity.client_id.empty() || !identity.object_id.empty() ||
         !identity.resource_id.empty();
}

std::string api_version(ManagedSource source) {
  switch (source) {
    case ManagedSource::service_fabric:
      return "2019-07-01-preview";
    case ManagedSource::app_service:
      return "2019-08-01";
    case ManagedSource::machine_learning:
      return "2017-09-01";
    case ManagedSource::arc:
      return "2020-06-01";
    case ManagedSource::imds:
      return "2018-02-01";
    case ManagedSource::cloud_shell:
      break;
  }
  return {};
}

/// Each endpoint has names of its own for the same thing.
std::string which_one(ManagedSource source, const ManagedIdentity& identity) {
  const bool app = source == ManagedSource::app_service;
  if (!identity.client_id.empty()) {
    const char* name = source == ManagedSource::machine_learning ? "clientid" : "client_id";
    return fmt::format("&{}={}", name, text::percent_encode(identity.client_id));
  }
  if (!identity.object_id.empty()) {
    return "&object_id=" + text::percent_encode(identity.object_id);
  }
  if (!identity.resource_id.empty()) {
    return fmt::format("&{}={}", app ? "mi_res_id" : "msi_res_id",
                       text::percent_encode(identity.resource_id));
  }
  return {};
}

Result<void> check_choice(ManagedSource source, const ManagedIdentity& identity) {
  if (!wants_one(identity)) return {};
  const bool one_only =
      source == ManagedSource::cloud_shell || source == ManagedSource::service_fabric;
  const bool by_client = source == ManagedSource::machine_learning;
  if (!one_only && !(by_client && identity.client_id.empty())) return {};
  return Error(Errc::not_found,
               fmt::format("{} gives {}: leave the id of the identity away", name_of(source),
                           one_only ? "one identity only, the one that it is configured with"
                                    : "identities by their client id only"));
}

void add_headers(const ManagedEndpoint& endpoint, http::Request& request) {
  const bool metadata = endpoint.source != ManagedSource::app_service &&
                        endpoint.source != ManagedSource::service_fabric;
  if (metadata) request.headers.add("Metadata", "true");
  if (endpoint.header.empty()) return;
  const bool app = endpoint.source == ManagedSource::app_service;
  request.headers.add(app ? "X-IDENTITY-HEADER" : "secret", endpoint.header.reveal());
}

}  // namespace

std::string_view name_of(ManagedSource source) {
  switch (source) {
    case ManagedSource::service_fabric:
      return "Service Fabric";
    case ManagedSource::app_service:
      return "App Service";
    case ManagedSource::machine_learning:
      return "Machine Learning";
    case ManagedSource::cloud_shell:
      return "Cloud Shell";
    case ManagedSource::arc:
      return "Azure Arc";
    case ManagedSource::imds:
      break;
  }
  return "IMDS";
}

ManagedEndpoint find_managed_endpoint(const Environment& environment,
                                      const ManagedIdentity& identity) {
  const auto endpoint = environment("IDENTITY_ENDPOINT");
  const auto header = environment("IDENTITY_HEADER");
  if (endpoint && header) {
    if (const auto thumbprint = environment("IDENTITY_SERVER_THUMBPRINT")) {
      return {.source = ManagedSource::service_fabric,
              .url = *endpoint,
              .header = Secret(*header),
              .thumbprint = *thumbprint};
    }
    return {.source = ManagedSource::app_service, .url = *endpoint, .header = Secret(*header)};
  }
  if (const auto msi = environment("MSI_ENDPOINT")) {
    if (const auto secret = environment("MSI_SECRET")) {
      return {.source = ManagedSource::machine_learning, .url = *msi, .header = Secret(*secret)};
    }
    return {.source = ManagedSource::cloud_shell, .url = *msi};
  }
  if (endpoint && environment("IMDS_ENDPOINT")) {
    return {.source = ManagedSource::arc, .url = *endpoint};
  }
  std::error_code unreadable;
  if (std::filesystem::exists(identity.arc_agent, unreadable)) {
    return {.source = ManagedSource::arc, .url = std::string(kArc)};
  }
  std::string host =
      environment("AZURE_POD_IDENTITY_AUTHORITY_HOST").value_or(std::string(kImdsHost));
  while (host.ends_with('/')) host.pop_back();
  return {.source = ManagedSource::imds, .url = host + std::string(kTokenPath)};
}

Result<http::Request> managed_request(const ManagedEndpoint& endpoint,
                                      const ManagedIdentity& identity,
                                      const std::string& resource) {
  TRY(check_choice(endpoint.source, identity));
  http::Request request;
  request.url = TRY(http::Url::parse(endpoint.url));
  request.headers.add("Accept", "application/json");
  add_headers(endpoint, request);
  request.follow_redirects = false;
  request.allow_plain_http = true;
  // What it is shown without TLS stays near.
  if (request.url.origin().scheme == "http") {
    request.forbidden_addresses = {http::AddressClass::global};
  }
  const std::string wanted = "resource=" + text::percent_encode(resource);
  if (endpoint.source == ManagedSource::cloud_shell) {
    request.method = "POST";
    request.headers.add("Content-Type", "application/x-www-form-urlencoded");
    request.body = wanted;
    return request;
  }
  const std::string& path = request.url.path_and_query();
  request.url = request.url.with_path(
      fmt::format("{}{}api-version={}&{}{}", path, path.find('?') == std::string::npos ? '?' : '&',
                  api_version(endpoint.source), wanted, which_one(endpoint.source, identity)));
  return request;
}

}  // namespace berth::auth
