// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "berth/content/store.hpp"

#include "content/new_file.hpp"

namespace berth::content {

/// Told how many bytes of the blob are there.
using Arrived = std::function<void(std::uint64_t)>;

/// Copies a whole blob into `to`, which is empty. A complete one shares its blocks where the file
/// system can (FICLONE); of one that still arrives each piece is copied inside the kernel as it
/// comes, while the rest is on its way. Every byte is verified when this is ok: the last read of a
/// reader waits for the digest.
Result<void> copy_bytes(BlobReader& reader, const NewFile& to, const Arrived& progress,
                        const Context& context);

/// Makes the empty file `fd` share the blocks of a complete blob. False where the file system
/// cannot.
bool clone_blob(BlobReader& reader, int fd);

/// Waits until the cache holds the whole blob, verified. False when it will not: its bytes can be
/// read all the same.
Result<bool> await_in_cache(BlobReader& reader, const Arrived& progress, const Context& context);

}  // namespace berth::content
