// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "content/core.hpp"

namespace berth::content {

/// A reader of a complete blob of the cache.
std::shared_ptr<BlobReader> make_cached_reader(std::shared_ptr<Core> core, cache::Blob blob);

/// A reader of the empty blob.
std::shared_ptr<BlobReader> make_empty_reader();

/// A reader of a file that is not the cache's own (an OCI layout), verified as it is read.
/// `name` is for messages. Errc::digest_mismatch when its size is not `size`; not_found.
Result<std::shared_ptr<BlobReader>> open_local_reader(std::shared_ptr<Core> core,
                                                      const std::filesystem::path& file,
                                                      std::string name, const Digest& digest,
                                                      std::uint64_t size);

}  // namespace berth::content
