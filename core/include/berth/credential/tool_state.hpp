// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/base/environment.hpp"

namespace berth::credential {

/// Where a tool that Entra ID's tokens come from keeps who has logged in with it: a file that each
/// login writes anew.
struct ToolState {
  const char* folder_variable;  ///< names its folder; nullptr for none
  const char* folder;           ///< else this one of the home
  const char* file;
};

inline constexpr ToolState kAzState{"AZURE_CONFIG_DIR", ".azure", "azureProfile.json"};
inline constexpr ToolState kPwshState{nullptr, ".Azure", "AzureRmContext.json"};
inline constexpr ToolState kAzdState{"AZD_CONFIG_DIR", ".azd", "auth.json"};

/// Another text when somebody else has logged in; "" when nobody has.
std::string mark_of(const ToolState& state, const Environment& environment);

}  // namespace berth::credential
