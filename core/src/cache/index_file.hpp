// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cache/store.hpp"

namespace berth::cache {

/// Rewrites index.json and oci-layout where they would differ: what makes the folder readable as an
/// OCI image layout. index.json lists the remembered tags of registries whose manifest, and all
/// that it names, are in blobs/.
Result<void> write_index(Store& store);

}  // namespace berth::cache
