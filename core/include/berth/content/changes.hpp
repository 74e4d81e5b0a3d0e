// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "berth/registry/client.hpp"

namespace berth::content {

/// What can be changed at a source that is a registry. Blocking, thread safe; errors as
/// registry::Client's. Deletions of what is not there are not_found.
class Changes {
 public:
  virtual ~Changes() = default;

  virtual Result<registry::Uploaded> push_blob(const std::string& repository,
                                               registry::BlobSource& source,
                                               const registry::UploadOptions& options,
                                               const Context& context) = 0;
  /// `reference`: a tag, or "" for the text's own digest.
  virtual Result<registry::Pushed> put_manifest(const std::string& repository,
                                                const std::string& reference,
                                                const std::string& text,
                                                const std::string& media_type,
                                                const Context& context) = 0;
  /// Gives what `reference` names another tag, without a pull.
  virtual Result<Digest> tag(const std::string& repository, const std::string& reference,
                             const std::string& new_tag, const Context& context) = 0;
  /// The tag alone. unsupported where the registry cannot.
  virtual Result<void> delete_tag(const std::string& repository, const std::string& tag,
                                  const Context& context) = 0;
  /// The manifest, and with it all its tags.
  virtual Result<void> delete_manifest(const std::string& repository, const Digest& digest,
                                       const Context& context) = 0;
  virtual Result<void> delete_blob(const std::string& repository, const Digest& digest,
                                   const Context& context) = 0;
  /// Everything in the repository; unsupported where the registry does not do that in one request:
  /// then its manifests are to be deleted one by one.
  virtual Result<void> delete_repository(const std::string& repository, const Context& context) = 0;
};

}  // namespace berth::content
