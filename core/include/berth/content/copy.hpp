// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "berth/content/store.hpp"

namespace berth::content {

struct CopyOptions {
  int jobs = 4;  ///< blobs at once
  bool referrers = false;
  Progress progress;                      ///< over all blobs
  std::optional<oci::Platform> platform;  ///< only this one of an index; absent: all
};

/// Copies a manifest and all that it names into an OCI layout (made where it is missing), children
/// before parents, every byte verified; `tag` becomes its ref.name ("" for none). What the layout
/// holds with the right digest is not copied again. Interrupted, it leaves a layout that is valid,
/// and a cache that the next call takes up.
Result<void> copy_to_layout(Store& store, const std::shared_ptr<Source>& source,
                            const std::string& repository, const Digest& digest,
                            const std::filesystem::path& layout, const std::string& tag,
                            const CopyOptions& options, const Context& context);

/// Copies a manifest and all that it names into a repository of a registry, under `tag` ("" for its
/// digest alone): blobs that are not there yet, mounted where both are of one registry, then
/// manifests, children before parents. Gives the digest of what was pushed (of the platform that is
/// asked for, else `digest`). Interrupted, it leaves blobs that the next call finds.
Result<Digest> copy_to_registry(Store& store, const std::shared_ptr<Source>& source,
                                const std::string& repository, const Digest& digest,
                                const std::shared_ptr<Source>& target,
                                const std::string& target_repository, const std::string& tag,
                                const CopyOptions& options, const Context& context);

/// Writes one blob to a file that appears complete or not at all (0644, umask applies).
Result<void> copy_to_file(BlobReader& reader, const std::filesystem::path& target,
                          const Progress& progress, const Context& context);

}  // namespace berth::content
