// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::registry {

/// The target of the first link with relation "next" among Link header values (RFC 8288 section 3);
/// each value may hold several links. nullopt when there is none, or when the text is broken.
std::optional<std::string> next_link(const std::vector<std::string_view>& values);

}  // namespace berth::registry
