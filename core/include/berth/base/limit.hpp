// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "berth/base/result.hpp"

namespace berth::text {

/// A cache's limit in bytes, as people write it on a command line, among mount options and in the
/// configuration: a size of parse_size, at least 1 MiB; 0 means none of its own, which leaves it to
/// the next who may say. Errc::invalid_argument, saying what was wrong: "20" is 20 bytes, and 20G
/// was meant. Thread safe.
Result<std::uint64_t> parse_limit(std::string_view text);

}  // namespace berth::text
