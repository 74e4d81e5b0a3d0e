// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// libFuzzer's entry, which each target defines: must hold whatever the bytes are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace berth::fuzz {

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(data), size};
}

/// Ends the program where a debugger and libFuzzer both see it.
inline void require(bool holds) {
  if (!holds) __builtin_trap();
}

/// A Result that holds this value. (Comparing a Result with == is ambiguous to clang.)
template <class Result, class Value>
void require_value(const Result& result, const Value& value) {
  require(result.has_value() && *result == value);
}

}  // namespace berth::fuzz
