// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "berth/base/result.hpp"

namespace berth::cli {

/// Where an operand of a command points (DESIGN section 8).
struct Place {
  enum class Kind : unsigned char { local, layout, archive, registry } kind = Kind::local;
  std::string text;                 ///< as typed
  std::filesystem::path path;       ///< local: the path; layout: its folder; archive: the file
  std::string registry;             ///< registry: "localhost:5000"
  std::string inside;               ///< what follows: a path in the tree, "" for the root
  bool is_standard_stream = false;  ///< "-"
};

/// A local path begins with `/`, `./` or `../` or is `-`, `.` or `..`; `oci:` begins a layout,
/// `oci-archive:` a file that holds one; else a registry place, whose first part has a dot, a colon
/// or is `localhost`. Anything else is invalid_argument, and the message offers both spellings. A
/// layout's `:TAG` and `@DIGEST` are told from its path by looking which folder is there.
Result<Place> parse_place(std::string_view text);

/// A folder written as oci:DIR or oci:DIR:TAG, or a file as oci-archive:FILE[:TAG], as a target
/// that need not exist.
struct LayoutTarget {
  std::filesystem::path folder;
  std::string tag;
};
Result<LayoutTarget> parse_layout_target(std::string_view text);
Result<LayoutTarget> parse_archive_target(std::string_view text);

}  // namespace berth::cli
