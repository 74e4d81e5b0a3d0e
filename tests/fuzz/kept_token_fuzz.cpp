// SPDX-License-Identifier: Apache-2.0
// A file of the tokens folder, which is what `berth token --helper` prints too, and tokens that
// somebody logged in with.
#include "berth/credential/acr_token.hpp"
#include "berth/credential/jwt.hpp"
#include "berth/credential/token_file.hpp"

#include "fuzz/fuzz.hpp"

using berth::fuzz::require;
namespace credential = berth::credential;

namespace {

const auto kNow = std::chrono::system_clock::from_time_t(1'767'225'600);
const auto kEnd = std::chrono::system_clock::from_time_t(7'258'118'400);

void check_times(const credential::RefreshToken& token) {
  for (const auto time : {token.issued, token.expires}) {
    require(time.time_since_epoch().count() >= 0 && time <= kEnd);
  }
  (void)token.is_aging(kNow);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(berth::fuzz::as_text(data, size));
  if (const auto kept = credential::parse_kept_token(text)) {
    require(!kept->token.value.empty());
    check_times(kept->token);
  }
  (void)credential::read_jwt(text);
  if (const auto token = credential::acr_token({.identity_token = berth::Secret(text)})) {
    check_times(*token);
  }
  require(!credential::acr_token({.username = "u", .password = berth::Secret(text)}));
  return 0;
}
