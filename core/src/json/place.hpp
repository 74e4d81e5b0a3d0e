// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace berth::json {

/// Why `text` was not taken. simdjson does not tell where, and whether a number was too large it
/// tells differently from version to version; this reads it again, slowly, for the message alone.
struct Stumble {
  std::optional<std::size_t> byte;  ///< counted from 1, at which it stops being JSON, if it does
  bool big_integer = false;         ///< before that there is one beyond 64 bits
};

Stumble find_stumble(std::string_view text);

}  // namespace berth::json
