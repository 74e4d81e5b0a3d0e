// SPDX-License-Identifier: Apache-2.0
// What Entra ID, identity endpoints, az, azd and pwsh answer, and the tokens of registries.
#include <string>

#include "berth/credential/jwt.hpp"

#include "auth/acr_exchange.hpp"
#include "auth/arc_challenge.hpp"
#include "auth/token_answer.hpp"
#include "auth/tool_runner.hpp"
#include "fuzz/fuzz.hpp"

using berth::fuzz::require;

namespace {

const auto kNow = std::chrono::system_clock::from_time_t(1'767'225'600);

void check(const berth::Result<berth::auth::AccessToken>& token) {
  if (!token) return;
  require(!token->token.empty());
  require(!token->refresh_on || *token->refresh_on < token->expires_on);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = berth::fuzz::as_text(data, size);
  check(berth::auth::parse_token_answer(text, kNow));
  for (const auto& tool : {berth::auth::azure_cli(), berth::auth::azure_power_shell(),
                           berth::auth::azure_developer_cli()}) {
    check(tool.parse(text));
  }
  const auto refusal = berth::auth::parse_token_refusal(text);
  require(refusal.code.empty() || refusal.description.starts_with(refusal.code));
  for (const std::string& words : {refusal.error, refusal.description, refusal.correlation_id}) {
    for (const char c : words) require(c == '\t' || static_cast<unsigned char>(c) >= 0x20);
  }
  (void)berth::auth::parse_token_date(text);
  (void)berth::credential::read_jwt(text);
  const auto token = berth::auth::token_of_jwt(berth::Secret(std::string(text)), kNow);
  require(kNow <= token.refresh_at && token.refresh_at <= token.expires);
  // A folder that is not there: whatever it names, nothing is read.
  require(!berth::auth::answer_arc_challenge(text, "/nowhere/of/berth"));
  return 0;
}
