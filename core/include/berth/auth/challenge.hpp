// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::auth {

/// One challenge of WWW-Authenticate (RFC 9110 section 11.6.1): a scheme in lower case, and
/// parameters with names in lower case.
struct Challenge {
  std::string scheme;
  std::vector<std::pair<std::string, std::string>> parameters;
  std::string parameter(std::string_view name) const;  ///< "" when absent
};

/// Every challenge of one header's value; several may stand in one. Broken text gives what was
/// understood before it: the header is a server's, and a server may lie.
std::vector<Challenge> parse_challenges(std::string_view header);

}  // namespace berth::auth
