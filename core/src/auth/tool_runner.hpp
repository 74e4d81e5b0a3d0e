// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "berth/auth/tool_credentials.hpp"
#include "berth/credential/tool_state.hpp"

#include "auth/token_memory.hpp"

namespace berth::auth {

/// What a tool is asked.
struct ToolQuestion {
  std::string scope;
  std::string tenant;  ///< "" for the tool's own
  std::string subscription;
};

/// One tool: how it is asked, and how its answer is read. All of it data and functions without
/// state.
struct Tool {
  const char* credential;  ///< "AzureCliCredential"
  const char* program;     ///< "az"
  const char* login;       ///< what one runs to log in
  std::vector<std::string> (*arguments)(const ToolQuestion& question);
  Result<AccessToken> (*parse)(std::string_view output);
  std::vector<std::string_view> not_logged_in;  ///< what its stderr has then
  std::string_view no_module;                   ///< what it has when a part of it is missing; ""
  credential::ToolState state;                  ///< changes with the account
};

/// Runs a tool for its token, and keeps that. Thread safe.
class ToolRunner {
 public:
  ToolRunner(Tool tool, ToolAccount account, IdentityOptions options);

  Result<AccessToken> get_token(const TokenRequest& request, const Context& context);
  const char* credential() const noexcept { return tool_.credential; }
  /// Another one when somebody else has logged in: the tool's file of accounts is another then.
  std::string identity_key() const;

 private:
  Result<AccessToken> fetch(const TokenRequest& request, const Context& context);
  Error explain(int exit_code, const std::string& said) const;

  const Tool tool_;
  const ToolAccount account_;
  const IdentityOptions options_;
  TokenMemory memory_;
};

Tool azure_cli();
Tool azure_power_shell();
Tool azure_developer_cli();

}  // namespace berth::auth
