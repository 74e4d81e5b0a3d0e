// SPDX-License-Identifier: Apache-2.0
#include "berth/base/limit.hpp"

#include <string>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::text {
namespace {

/// Less than a few manifests and the cache's own bookkeeping need: nobody means it.
constexpr std::uint64_t kLeast = 1024 * 1024;

}  // namespace

Result<std::uint64_t> parse_limit(std::string_view text) {
  const std::uint64_t bytes = TRY(parse_size(text));
  if (bytes == 0 || bytes >= kLeast) return bytes;
  const std::string written(trim(text));
  const bool without_unit = parse_unsigned(written).has_value();
  return Error(Errc::invalid_argument,
               without_unit ? written + " bytes are too small for a cache: say " + written + "G"
                            : written + " is too small for a cache: say 1M or more");
}

}  // namespace berth::text
