// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "berth/base/context.hpp"
#include "berth/oci/manifest.hpp"

namespace berth::content {

/// Writes an OCI image layout. What appears in it is complete: blobs first, index.json last. Safe
/// beside other processes that write the same layout with berth.
class LayoutWriter {
 public:
  /// Makes what is missing. Errc::unsupported for a layout of another version; conflict for a
  /// folder that has files and is no layout.
  static Result<LayoutWriter> open(const std::filesystem::path& layout);

  const std::filesystem::path& folder() const noexcept { return layout_; }
  std::filesystem::path blob(const Digest& digest) const;
  /// Is the blob there, with this size and digest? It is hashed: a file of the right name may have
  /// been cut or damaged by whoever wrote it.
  Result<bool> holds(const Digest& digest, std::uint64_t size, const Context& context) const;
  /// Makes the folder that blob() lies in.
  Result<void> make_folder(const Digest& digest) const;
  Result<void> put(const Digest& digest, std::string_view bytes) const;

  /// Adds manifests to index.json, under a lock that berth's processes share: the lock is on the
  /// file oci-layout, so that the layout holds nothing else. A descriptor with a ref.name takes the
  /// name from the entry that had it; one without is added unless its digest is listed.
  Result<void> add(const std::vector<oci::Descriptor>& descriptors) const;

 private:
  explicit LayoutWriter(std::filesystem::path layout)
      : layout_(std::move(layout)) {}

  std::filesystem::path layout_;
};

}  // namespace berth::content
