// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "berth/oci/manifest.hpp"

namespace berth::tree {

/// The longest name of one entry: NAME_MAX of Linux, in bytes.
inline constexpr std::size_t kNameLimit = 255;
/// Folders that a title may make below each other; what is deeper is joined by '_'.
inline constexpr std::size_t kTitleDepth = 32;

/// One part of a path out of text that a registry said: never empty, "." or "..", no '/', control
/// or bidirectional character (each becomes '_'), at most kNameLimit bytes.
std::string safe_name(std::string_view untrusted);

/// `name`, or `name~2`, `name~3`, ...: the first that `taken` does not hold. Never over kNameLimit.
template <class Set>
std::string unique_name(const std::string& name, const Set& taken);
std::string numbered_name(std::string_view name, std::size_t number, char separator);

/// The files of an artifact by their titles, as folders and files with safe and distinct names. Who
/// comes first in the manifest keeps the name; a later one that needs it gets `~2`.
struct FileTree {
  struct Entry;
  /// Ordered by name, so that listings are.
  std::map<std::string, Entry, std::less<>> entries;
};
struct FileTree::Entry {
  std::size_t layer = 0;             ///< of a file: its place among the manifest's layers
  std::unique_ptr<FileTree> folder;  ///< nullptr for a file
  std::string original;              ///< of a folder: the part of the title that it stands for
};

/// Layers without a title are left out.
FileTree make_file_tree(const std::vector<oci::Descriptor>& layers);
/// The entry at "a/b"; nullptr when there is none. "" has no entry.
const FileTree::Entry* find_file(const FileTree& tree, std::string_view path);

/// "00.tar.gz", "01.tar.gz", ...: as many digits as the count needs, at least two.
std::vector<std::string> layer_names(const std::vector<oci::Descriptor>& layers);

/// A name for each manifest of an index: its platform's, with "-2", "-3" where two bear one; the
/// first twelve digits of its digest where it states none.
std::vector<std::string> platform_names(const std::vector<oci::Descriptor>& manifests);

template <class Set>
std::string unique_name(const std::string& name, const Set& taken) {
  if (!taken.contains(name)) return name;
  for (std::size_t number = 2;; ++number) {
    std::string candidate = numbered_name(name, number, '~');
    if (!taken.contains(candidate)) return candidate;
  }
}

}  // namespace berth::tree
