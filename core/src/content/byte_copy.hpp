// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "berth/content/store.hpp"

namespace berth::content {

/// Copies a whole blob into `fd`, which is empty. A complete one shares its blocks where the file
/// system can (FICLONE); of one that still arrives each piece is copied inside the kernel as it
/// comes, while the rest is on its way. Every byte is verified when this is ok: the last read of a
/// reader waits for the digest. `progress` is told how many bytes of the blob are there.
Result<void> copy_bytes(BlobReader& reader, int fd,
                        const std::function<void(std::uint64_t)>& progress, const Context& context);

}  // namespace berth::content
