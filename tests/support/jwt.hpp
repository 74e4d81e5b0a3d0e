// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace berth::test {

/// RFC 4648 section 5, without padding; by none of berth's code.
std::string base64url(std::string_view bytes);
std::string from_base64url(std::string_view text);

/// A token of three parts whose signature nobody checks.
std::string unsigned_jwt(const nlohmann::ordered_json& claims);

}  // namespace berth::test
