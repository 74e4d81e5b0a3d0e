// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "berth/base/context.hpp"
#include "berth/base/environment.hpp"

#include "streams.hpp"

namespace berth::helper {

/// berth-credential-provider: an exec plugin of the kubelet (credentialprovider.kubelet.k8s.io/v1).
/// Reads one CredentialProviderRequest, answers one CredentialProviderResponse on standard output;
/// errors go to the error stream, which the kubelet logs, and exit with 1. `berth` is the command
/// that fetches tokens, "" for none.
int run_provider(const std::vector<std::string>& arguments, const Streams& streams,
                 const Environment& environment, const std::string& berth, const Context& context);

}  // namespace berth::helper
