// SPDX-License-Identifier: Apache-2.0
#include "auth/tool_runner.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "berth/base/process.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"

#include "auth/identity_rules.hpp"

namespace berth::auth {
ToolRunner::ToolRunner(Tool tool, ToolAccount account, IdentityOptions options)
    : tool_(std::move(tool)),
      account_(std::move(account)),
      options_(std::move(options)),
      memory_(*options_.clock) {}

std::string ToolRunner::identity_key() const {
  return fmt::format("{} {} {} {}", tool_.credential, account_.tenant_id, account_.subscription,
                     credential::mark_of(tool_.state, options_.environment));
}

Result<AccessToken> ToolRunner::get_token(const TokenRequest& request, const Context& context) {
  // Who has logged in as somebody else meanwhile means that one.
  TokenRequest keyed = request;
  keyed.scopes.push_back(identity_key());
  return memory_.get(keyed, context, [&] { return fetch(request, context); });
}

Result<AccessToken> ToolRunner::fetch(const TokenRequest& request, const Context& context) {
  const char* who = tool_.credential;
  const std::string scope = TRY(single_scope(request, who));
  const std::string tenant =
      TRY(tenant_for(request, account_.tenant_id, options_.additionally_allowed_tenants, who));
  if (!account_.subscription.empty() && !is_subscription(account_.subscription)) {
    return Error(Errc::invalid_argument,
                 fmt::format("{}: '{}' is no subscription: letters, digits, blanks, '-', '.', '_'",
                             who, text::escape_for_terminal(account_.subscription)));
  }
  const std::string path = options_.environment("PATH").value_or(std::string(kDefaultPath));
  const auto program = find_program(tool_.program, path);
  if (!program) {
    return not_available(
        who, fmt::format("{} is not installed (no folder of PATH has it)", tool_.program));
  }
  ProcessSpec spec;
  spec.argv =
      tool_.arguments({.scope = scope, .tenant = tenant, .subscription = account_.subscription});
  spec.argv.insert(spec.argv.begin(), *program);
  // What it loads by a relative path, as Python does, must not come from the caller's folder.
  spec.folder = "/bin";
  spec.output_limit = http::limits::kTokenBody;
  spec.inherit_stderr = false;
  const auto ran = run_process(spec, context.with_timeout(options_.process_timeout));
  if (!ran) {
    TRY(context.check());
    return not_available(who, fmt::format("{}: {}", tool_.program, ran.error().message()));
  }
  if (ran->exit_code != 0) return explain(ran->exit_code, ran->error_output);
  auto token = tool_.parse(ran->output);
  if (token) return token;
  return not_available(who,
                       fmt::format("{} gave no token: {}", tool_.program, token.error().message()));
}

Error ToolRunner::explain(int exit_code, const std::string& said) const {
  const auto names = [&](std::string_view words) { return said.find(words) != std::string::npos; };
  if (!tool_.no_module.empty() && names(tool_.no_module)) {
    return not_available(tool_.credential,
                         fmt::format("{} lacks the module Az.Accounts 2.2.0 or newer: "
                                     "Install-Module Az.Accounts",
                                     tool_.program));
  }
  if (std::ranges::any_of(tool_.not_logged_in, names)) {
    return not_available(tool_.credential, fmt::format("nobody is logged in: run `{}` ({})",
                                                       tool_.login, first_line(said)));
  }
  return not_available(tool_.credential,
                       fmt::format("{} failed (exit status {}): {}", tool_.program, exit_code,
                                   said.empty() ? "it said nothing" : first_line(said)));
}

}  // namespace berth::auth
