// SPDX-License-Identifier: Apache-2.0
#include "kubelet_request.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/jwt.hpp"
#include "berth/oci/reference.hpp"

namespace berth::helper {
namespace {

using nlohmann::json;

/// kubernetes.io, "Kubelet credential provider": what acr-credential-provider reads too.
constexpr const char* kClientId = "kubernetes.azure.com/acr-client-id";
constexpr const char* kTenantId = "kubernetes.azure.com/acr-tenant-id";

Error bad_request(const std::string& why) {
  return {Errc::invalid_argument, "the kubelet's request on standard input " + why};
}

std::string string_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void take_service_account(const json& root, KubeletRequest& request) {
  const std::string token = string_of(root, "serviceAccountToken");
  if (token.empty()) return;
  const auto annotations = root.find("serviceAccountAnnotations");
  WorkloadIdentity workload{.client_id = {}, .tenant_id = {}, .token = Secret(token)};
  if (annotations != root.end() && annotations->is_object()) {
    workload.client_id = string_of(*annotations, kClientId);
    workload.tenant_id = string_of(*annotations, kTenantId);
  }
  request.lacks_annotations = workload.client_id.empty() || workload.tenant_id.empty();
  if (!request.lacks_annotations) request.workload = std::move(workload);
}

}  // namespace

Error lacking_annotations() {
  return bad_request(
      fmt::format("has a service account's token, but the account lacks the annotation {} or {}",
                  kClientId, kTenantId));
}

Result<KubeletRequest> parse_kubelet_request(std::string_view text) {
  const json root = json::parse(text, nullptr, false);
  if (!root.is_object()) return bad_request("is not a JSON object");
  if (string_of(root, "kind") != "CredentialProviderRequest") {
    return bad_request("is not of the kind CredentialProviderRequest");
  }
  if (const std::string version = string_of(root, "apiVersion"); version != kKubeletApiVersion) {
    return bad_request(
        fmt::format("has the apiVersion \"{}\": only {} is served, write that into "
                    "the provider's configuration",
                    text::escape_for_terminal(version), kKubeletApiVersion));
  }
  KubeletRequest request{.image = string_of(root, "image")};
  if (request.image.empty()) return bad_request("names no image");
  take_service_account(root, request);
  return request;
}

Result<credential::ServerKey> registry_of_image(const std::string& image) {
  const std::size_t slash = image.find('/');
  const std::string first = image.substr(0, slash);
  std::string name =
      oci::looks_like_registry(first) && slash != std::string::npos ? image : "docker.io/" + image;
  name = name.substr(0, name.find('@'));
  const std::size_t colon = name.find(':', name.rfind('/'));
  return credential::parse_server_key(name.substr(0, colon));
}

std::optional<std::string> identity_of(const WorkloadIdentity& workload) {
  const auto claims = credential::read_jwt(workload.token.reveal());
  if (!claims || claims->issuer.empty() || claims->subject.empty()) return std::nullopt;
  // As JSON each part ends where it ends, whatever somebody wrote into an annotation.
  const json parts = {"service account", workload.tenant_id, workload.client_id,
                      claims->issuer,    claims->subject,    claims->audience};
  return parts.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace berth::helper
