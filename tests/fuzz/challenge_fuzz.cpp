// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/challenge.hpp"
#include "berth/auth/scope.hpp"

#include "fuzz/fuzz.hpp"

using berth::auth::Scopes;
using berth::fuzz::require;

namespace {

void check_scopes(std::string_view text) {
  const Scopes scopes = Scopes::parse(text);
  const Scopes again = Scopes::parse(scopes.text());
  require(again.text() == scopes.text());
  require(scopes.contains(again) && scopes.contains(Scopes()));
  Scopes sum = scopes;
  sum.add(Scopes::pull("a"));
  require(sum.contains(scopes) && sum.contains(Scopes::pull("a")));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = berth::fuzz::as_text(data, size);
  const auto challenges = berth::auth::parse_challenges(text);
  require(challenges.size() <= 16);
  for (const auto& challenge : challenges) {
    require(!challenge.scheme.empty() && challenge.parameters.size() <= 32);
    for (const auto& [name, value] : challenge.parameters) {
      require(!name.empty() && value.size() < size);
    }
    check_scopes(challenge.parameter("scope"));
  }
  check_scopes(text);
  return 0;
}
