// SPDX-License-Identifier: Apache-2.0
#include "berth/oci/layout.hpp"

#include "berth/base/try.hpp"
#include "berth/json/value.hpp"

namespace berth::oci {

Result<void> check_layout_file(std::string_view text) {
  constexpr std::size_t kLimit = 64 * 1024;  // it holds one number
  Result<json::Document> document = json::Document::parse(text, {.bytes = kLimit, .depth = 8});
  if (!document) return std::move(document).error().with_context("the file oci-layout");
  const std::string version = TRY(document->root().string_or_empty("imageLayoutVersion"));
  if (version.empty()) {
    return Error(Errc::corrupt, "the file oci-layout does not state an imageLayoutVersion");
  }
  if (version.starts_with("1.")) return {};
  return Error(Errc::unsupported, "an OCI layout of version '" + version.substr(0, 64) +
                                      "' is not supported; version 1 is");
}

}  // namespace berth::oci
