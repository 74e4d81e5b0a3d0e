// SPDX-License-Identifier: Apache-2.0
#include "berth/oci/media_type.hpp"

#include "fuzz/fuzz.hpp"

using berth::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = berth::fuzz::as_text(data, size);
  const std::string bare = berth::oci::without_parameters(text);
  require(berth::oci::without_parameters(bare) == bare);
  require(berth::oci::file_extension(text).size() <= 8);
  const int kinds =
      berth::oci::is_manifest(text) + berth::oci::is_index(text) + berth::oci::is_schema1(text);
  require(kinds <= 1);
  if (berth::oci::is_media_type(text)) {
    require(text.size() <= 255 && text.find_first_of(" ;\r\n\t\"\\") == std::string_view::npos);
    require(bare.size() == text.size());
  } else {
    require(kinds == 0);
  }
  return 0;
}
