// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "berth/content/source.hpp"

namespace berth::content {

/// Deletions that need more than one request, and what must be known before one. Blocking.

/// The tags of the repository that lead to the manifest. One listing where the registry lists
/// digests with it, else a HEAD for each tag, `jobs` at once.
Result<std::vector<std::string>> tags_leading_to(Source& source, const std::string& repository,
                                                 const Digest& digest, int jobs,
                                                 const Context& context);

/// The manifests that name the blob, of those that a tag leads to or an index among them names; by
/// a request for each, `jobs` at once. One of a type that berth does not know counts as well.
Result<std::vector<Digest>> manifests_naming(Source& source, const std::string& repository,
                                             const Digest& blob, int jobs, const Context& context);

struct RemovedRepository {
  bool at_once = false;       ///< by one request: then it is not known how much there was
  std::size_t tags = 0;       ///< that went
  std::size_t manifests = 0;  ///< that went, those without a tag included
};

/// Deletes a repository: by one request where the registry has that, else every manifest that a tag
/// leads to, and those that an index among them names. What no tag and no index names cannot be
/// found and stays, as do blobs: the registry collects them. not_found when there is no such
/// repository.
Result<RemovedRepository> remove_repository(Source& source, const std::string& repository, int jobs,
                                            const Context& context);

}  // namespace berth::content
