// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>

#include "berth/base/result.hpp"
#include "berth/tree/tree.hpp"

namespace berth::fuse {

/// Below this bytes are copied: the calls that splicing takes cost more.
inline constexpr std::size_t kSpliceFrom = 32 * 1024;

/// Puts `size` bytes of a file into this thread's own pipe without copying them, and gives the
/// pipe's end to read them from; they must be taken before the next call on this thread. All of
/// them or none: libfuse splices from a file too, but answers with what it got when the file turns
/// out short or the disk fails, and the kernel takes a short answer for the end of the file.
/// nullopt: no pipe of that size is to be had, use memory. io: the file does not give them.
Result<std::optional<int>> fill_pipe(const tree::File::FileRange& range, std::size_t size);

}  // namespace berth::fuse
