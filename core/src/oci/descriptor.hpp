// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "berth/json/value.hpp"
#include "berth/json/writer.hpp"
#include "berth/oci/manifest.hpp"

namespace berth::oci {

/// image-spec "descriptor.md". Errors are Errc::corrupt, or Errc::unsupported for a digest of an
/// unknown algorithm, and name the member.
Result<Descriptor> read_descriptor(const json::Value& value);
/// The member `key` of `object`: an array of descriptors, or nothing. At most kDescriptorLimit.
Result<std::vector<Descriptor>> read_descriptors(const json::Value& object, std::string_view key);
Result<Annotations> read_annotations(const json::Value& object);

json::Node write_descriptor(const Descriptor& descriptor);
json::Node write_annotations(const Annotations& annotations);

}  // namespace berth::oci
