// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/protocol.hpp"
#include "berth/credential/server_key.hpp"

#include "fuzz/fuzz.hpp"

using berth::fuzz::require;
namespace credential = berth::credential;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = berth::fuzz::as_text(data, size);
  if (const auto request = credential::parse_store_request(text)) {
    require(!credential::has_control(request->username));
    // What was stored is what is answered.
    const auto kept = credential::from_protocol(request->username, request->secret);
    const auto back =
        credential::parse_get_answer(credential::get_answer(request->server_url, kept), "fuzz");
    require(back.has_value() == (!request->username.empty() || request->secret.empty()));
    if (back && *back)
      require((*back)->username == kept.username && (*back)->password == kept.password);
  }
  if (const auto answer = credential::parse_get_answer(text, "fuzz"); answer && *answer) {
    require(!(*answer)->is_anonymous() || !(*answer)->identity_token.empty());
  }
  if (const auto entries = credential::parse_list_answer(text, "fuzz")) {
    berth::fuzz::require_value(
        credential::parse_list_answer(credential::list_answer(*entries), "fuzz"), *entries);
  }
  return 0;
}
