// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "berth/oci/manifest.hpp"

namespace berth::oci {

/// image-spec "image-layout.md": the text of the oci-layout file.
inline constexpr std::string_view kLayoutFile = R"({"imageLayoutVersion":"1.0.0"})";

/// Errc::unsupported for another version than 1.x.
Result<void> check_layout_file(std::string_view text);

/// index.json of a layout: an image index whose descriptors carry their tags as ref.name.
std::string write_index(const std::vector<Descriptor>& manifests);

}  // namespace berth::oci
