// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "berth/content/copy.hpp"

namespace berth::content {

/// What a copy consists of.
struct CopyPlan {
  struct ManifestCopy {
    oci::Descriptor descriptor;
    std::string raw;
  };
  std::vector<ManifestCopy> manifests;  ///< children before parents
  std::vector<oci::Descriptor> blobs;   ///< each once, the largest first
  std::vector<oci::Descriptor> roots;   ///< for index.json: the manifest itself, then its referrers
  std::uint64_t bytes = 0;              ///< of the blobs
};

struct CopyRequest {
  Store& store;
  const std::shared_ptr<Source>& source;
  const std::string& repository;
  const CopyOptions& options;
  const Context& context;
};

/// Reads every manifest that a copy needs. Errc::not_found when an index has no manifest for the
/// platform that is asked for; unsupported for Docker schema 1.
Result<CopyPlan> plan_copy(const CopyRequest& request, const Digest& digest);

}  // namespace berth::content
