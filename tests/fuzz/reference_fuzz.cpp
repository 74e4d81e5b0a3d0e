// SPDX-License-Identifier: Apache-2.0
#include "berth/oci/reference.hpp"

#include "fuzz/fuzz.hpp"

using berth::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = berth::fuzz::as_text(data, size);
  (void)berth::oci::is_tag(text);
  (void)berth::oci::is_repository(text);
  (void)berth::oci::looks_like_registry(text);
  const auto reference = berth::oci::Reference::parse(text);
  if (!reference) return 0;
  require(berth::oci::looks_like_registry(reference->registry));
  require(berth::oci::is_repository(reference->repository));
  require(!reference->tag || berth::oci::is_tag(*reference->tag));
  require(reference->repository.find("..") == std::string::npos);
  berth::fuzz::require_value(berth::oci::Reference::parse(reference->text()), *reference);
  return 0;
}
