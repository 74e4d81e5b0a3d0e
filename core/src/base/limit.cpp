// SPDX-License-Identifier: Apache-2.0
#include "berth/base/limit.hpp"

#include <string>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::text {
namespace {

/// Less than a few manifests and the cache's own bookkeeping need: nobody means it.
constexpr std::uint64_t kLeast = 1024 * 1024;
/// A bare number up to here was probably meant as gigabytes.
constexpr std::uint64_t kMostGigabytes = 1024;

}  // namespace

Result<std::uint64_t> parse_limit(std::string_view text) {
  const std::uint64_t bytes = TRY(parse_size(text));
  if (bytes == 0 || bytes >= kLeast) return bytes;
  const std::string written(trim(text));
  const bool without_unit = parse_unsigned(written).has_value();
  const bool means_gigabytes = without_unit && bytes <= kMostGigabytes;
  return Error(Errc::invalid_argument, written + (without_unit ? " bytes are" : " is") +
                                           " too small for a cache: say " +
                                           (means_gigabytes ? written + "G" : "1M or more"));
}

}  // namespace berth::text
