// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace berth::json {

/// The byte, counted from 1, at which `text` stops being JSON; nullopt when none is found. simdjson
/// does not tell; this reads it again, slowly, for the message alone.
std::optional<std::size_t> place_of_error(std::string_view text);

}  // namespace berth::json
