// SPDX-License-Identifier: Apache-2.0
#include "berth/digest/digest.hpp"

#include "fuzz/fuzz.hpp"

using berth::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = berth::fuzz::as_text(data, size);
  const auto digest = berth::Digest::parse(text);
  if (!digest) {
    require(digest.error().message().size() < 600);
    return 0;
  }
  // Whoever holds a Digest builds paths from it.
  require(digest->text() == text);
  require(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789:") ==
          std::string_view::npos);
  require(digest->hex().size() >= 64 && digest->hex().size() <= 128);
  berth::fuzz::require_value(berth::Digest::from_parts(digest->algorithm_name(), digest->hex()),
                             *digest);
  return 0;
}
