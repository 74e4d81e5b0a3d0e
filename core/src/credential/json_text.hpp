// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "berth/base/result.hpp"

namespace berth::credential {

/// Errc::corrupt names `name` and the place, never the text: nlohmann's own message quotes it, and
/// what is parsed here holds secrets. `allow_trailing`: whatever follows the value is ignored.
Result<nlohmann::json> parse_json(std::string_view text, std::string_view name,
                                  bool allow_trailing = false);

/// The same, keeping the order of members, for what is written back.
Result<nlohmann::ordered_json> parse_ordered_json(std::string_view text, std::string_view name);

/// A member of an object; an exact name wins over one that differs in case. nullptr when absent.
const nlohmann::json* find_ignoring_case(const nlohmann::json& object, std::string_view name);

/// "" for a member that is absent or no text.
std::string string_member(const nlohmann::json& object, std::string_view name);

}  // namespace berth::credential
