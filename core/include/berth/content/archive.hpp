// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "berth/base/context.hpp"

namespace berth::content {

/// OCI image layouts as one file (`oci-archive:` of skopeo, `docker save` since 25), by tar(1):
/// see docs/decisions/. Blocking, thread safe.

/// Unpacks the layout in an archive, compressed or not, into a folder that exists and is empty.
/// What is no part of a layout stays behind. Errc::corrupt for what is no archive or holds no
/// layout, untrusted for members that are neither files nor folders.
Result<void> unpack_layout(const std::filesystem::path& archive,
                           const std::filesystem::path& folder, const Context& context);

/// Writes a layout as an uncompressed archive that appears complete or not at all, and is the same
/// for the same layout.
Result<void> pack_layout(const std::filesystem::path& folder, const std::filesystem::path& archive,
                         const Context& context);

}  // namespace berth::content
