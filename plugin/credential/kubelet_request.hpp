// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "berth/base/result.hpp"
#include "berth/credential/server_key.hpp"

#include "fetch.hpp"

namespace berth::helper {

/// What the kubelet answers in, too.
inline constexpr const char* kKubeletApiVersion = "credentialprovider.kubelet.k8s.io/v1";

/// A CredentialProviderRequest.
struct KubeletRequest {
  std::string image;
  /// The pod's service account, with the identity that its annotations name.
  std::optional<WorkloadIdentity> workload{};
  /// There is a service account's token, and no annotation says whose it may become.
  bool lacks_annotations = false;
};

/// Errc::invalid_argument, saying what the kubelet's configuration lacks.
Result<KubeletRequest> parse_kubelet_request(std::string_view text);
/// Of a service account's token without the annotations, where they are needed.
Error lacking_annotations();

/// An image without a registry is Docker Hub's, as the kubelet has it.
Result<credential::ServerKey> registry_of_image(const std::string& image);

/// Whose token an answer would be: the application and the service account (issuer, subject and
/// audience of its token), as text without a secret. nullopt for a token that cannot be read. The
/// annotations are the pod's own word: by them alone everybody could be everybody.
std::optional<std::string> identity_of(const WorkloadIdentity& workload);

}  // namespace berth::helper
