// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "options.hpp"
#include "scratch.hpp"
#include "workspace.hpp"

namespace berth::cli {

/// Copies whole images and artifacts to where such can be kept: a layout (oci:DIR[:TAG]), an
/// archive of one (oci-archive:FILE[:TAG]), a repository of a registry (REGISTRY/NAME[:TAG]); and
/// local files into a registry, as blobs and manifests. Not thread safe.
class ImageCopier {
 public:
  /// Is this what `target` names? Else it is for files.
  static bool is_target(const std::string& target);

  ImageCopier(const CpCommand& command, Workspace& workspace)
      : command_(command),
        workspace_(workspace) {}

  /// All sources are looked at before the first is copied: of two that become one tag the first
  /// would be lost, and be paid for.
  Result<void> check();
  struct Done {
    std::string target;
    std::optional<Digest> digest;
  };
  Result<Done> copy(const std::string& source);
  /// After the last source: an archive appears now.
  Result<void> finish();

 private:
  enum class Kind : unsigned char { layout, archive, repository, blobs, manifests };
  /// A source, and the tag that it gets.
  struct Image {
    tree::Tree::Meaning meaning;
    std::string tag;
  };

  Result<void> parse_target();
  Result<void> parse_registry_target();
  Error same_tag(const std::string& tag, const std::string& source) const;
  Result<Image> find_image(const std::string& source);
  Result<Done> copy_image(const std::string& source, const Image& image);
  Result<Done> push_file(const std::string& source);
  Result<Done> push_manifest(content::Changes& changes, const std::string& source,
                             const std::string& tag);
  std::string written_target(const std::string& tag, const Digest& digest) const;

  const CpCommand& command_;
  Workspace& workspace_;
  Kind kind_ = Kind::layout;
  std::filesystem::path folder_;  ///< of the layout
  std::filesystem::path archive_;
  std::optional<Scratch> scratch_;  ///< the archive's layout while it grows
  std::string registry_;
  std::string repository_;
  std::string tag_;
  std::map<std::string, Result<Image>> images_;  ///< by source
};

}  // namespace berth::cli
