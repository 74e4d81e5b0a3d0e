// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "berth/base/result.hpp"
#include "berth/credential/tool_setup.hpp"

namespace berth::credential {

/// What a plan reads; nullopt: it is not there.
Result<std::optional<std::string>> read_if_there(const std::filesystem::path& file);

/// docker's config.json or podman's auth.json, and the file beside it of what berth replaced there.
/// Only members that berth sets change, and only those are shown: the file holds secrets.
Result<SetupPlan> plan_json(const std::filesystem::path& file, const SetupRequest& request,
                            std::string_view tool);

}  // namespace berth::credential
