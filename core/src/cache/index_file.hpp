// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/base/sync.hpp"

#include "cache/store.hpp"

namespace berth::cache {

/// index.json and oci-layout: what makes the folder readable as an OCI image layout. The images
/// that were declared complete are lines of the file `images`; index.json lists those of them that
/// still are, and is written by write(). Thread safe.
class IndexFile {
 public:
  void add(Store& store, const std::string& reference, const std::string& media_type,
           const Digest& digest, std::uint64_t size);
  /// Rewrites index.json where it would differ.
  Result<void> write(Store& store);

 private:
  Mutex mutex_;
};

}  // namespace berth::cache
