// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "berth/base/context.hpp"
#include "berth/base/environment.hpp"
#include "berth/credential/token_file.hpp"

namespace berth::helper {

/// The `berth` command beside this program, "" where there is none: never one of PATH, which
/// whoever calls a helper may have set.
std::string berth_beside(const std::string& own_program);
/// The path of this program, links followed.
std::string own_program();

/// A service account's token that a cluster gave, to be exchanged instead of an identity of this
/// machine.
struct WorkloadIdentity {
  std::string client_id;
  std::string tenant_id;
  Secret token;
};

/// Runs `berth token --helper REGISTRY` and reads what it prints, {"token", "issued", "expires"}
/// with times in milliseconds. A workload identity goes to its standard input as one JSON object,
/// never to its arguments or environment, which others can see. nullopt when it exits with 3: no
/// identity is available. Errors: what it said.
Result<std::optional<credential::RefreshToken>> fetch_with_berth(
    const std::string& berth, const std::string& registry,
    const std::optional<WorkloadIdentity>& workload, const Context& context);

}  // namespace berth::helper
