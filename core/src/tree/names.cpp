// SPDX-License-Identifier: Apache-2.0
#include "tree/names.hpp"

#include <set>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/oci/media_type.hpp"

namespace berth::tree {
namespace {

/// Cuts at a character of UTF-8, so that no half character ends a name.
std::string_view cut(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0U) == 0x80U) --limit;
  return text.substr(0, limit);
}

/// The bytes of the character at `at` that must not reach a terminal or a shell's listing: C0, DEL,
/// C1 (U+0080-9F), the bidirectional controls (CVE-2021-42574), line and paragraph separators.
/// 0 when it is harmless.
std::size_t harmful_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  if (byte(0) < 0x20 || byte(0) == 0x7F || byte(0) == '/') return 1;
  if (byte(0) == 0xC2 && byte(1) >= 0x80 && byte(1) <= 0x9F) return 2;
  if (byte(0) == 0xD8 && byte(1) == 0x9C) return 2;  // U+061C
  if (byte(0) == 0xE2 && byte(1) == 0x80 &&
      (byte(2) == 0x8E || byte(2) == 0x8F || (byte(2) >= 0xA8 && byte(2) <= 0xAE))) {
    return 3;  // U+200E, 200F, 2028-202E
  }
  if (byte(0) == 0xE2 && byte(1) == 0x81 && byte(2) >= 0xA6 && byte(2) <= 0xA9) return 3;
  return 0;
}

/// The parts of a title. A leading, doubled or closing '/' and "." mean nothing; ".." is kept here
/// and made harmless by safe_name: dropping it would let two titles become one without a sign.
std::vector<std::string_view> title_parts(std::string_view title) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  while (begin <= title.size()) {
    std::size_t end = title.find('/', begin);
    if (parts.size() + 1 == kTitleDepth || end == std::string_view::npos) end = title.size();
    const std::string_view part = title.substr(begin, end - begin);
    if (!part.empty() && part != ".") parts.push_back(part);
    begin = end + 1;
  }
  return parts;
}

/// The folder that stands for `part`, made where it is missing.
FileTree& folder_for(FileTree& tree, const std::string& part) {
  for (std::size_t number = 1;; ++number) {
    const std::string name = number == 1 ? part : numbered_name(part, number, '~');
    const auto found = tree.entries.find(name);
    if (found == tree.entries.end()) {
      FileTree::Entry& made = tree.entries[name];
      made.folder = std::make_unique<FileTree>();
      made.original = part;
      return *made.folder;
    }
    if (found->second.folder && found->second.original == part) return *found->second.folder;
  }
}

void add_title(FileTree& tree, std::string_view title, std::size_t layer) {
  const std::vector<std::string_view> parts = title_parts(title);
  FileTree* folder = &tree;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    folder = &folder_for(*folder, safe_name(parts[i]));
  }
  const std::string name = safe_name(parts.empty() ? std::string_view{} : parts.back());
  folder->entries[unique_name(name, folder->entries)].layer = layer;
}

}  // namespace

std::string safe_name(std::string_view untrusted) {
  std::string name;
  for (std::size_t at = 0; at < untrusted.size() && name.size() <= kNameLimit;) {
    const std::size_t harmful = harmful_length(untrusted, at);
    name += harmful > 0 ? '_' : untrusted[at];
    at += harmful > 0 ? harmful : 1;
  }
  if (name.empty()) return "_";
  if (name == ".") return "_";
  if (name == "..") return "__";
  return std::string(cut(name, kNameLimit));
}

std::string numbered_name(std::string_view name, std::size_t number, char separator) {
  const std::string suffix = fmt::format("{}{}", separator, number);
  return std::string(cut(name, kNameLimit - suffix.size())) + suffix;
}

FileTree make_file_tree(const std::vector<oci::Descriptor>& layers) {
  FileTree tree;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string* title = oci::find_annotation(layers[i].annotations, oci::annotation::kTitle);
    if (title != nullptr) add_title(tree, *title, i);
  }
  return tree;
}

const FileTree::Entry* find_file(const FileTree& tree, std::string_view path) {
  const FileTree* folder = &tree;
  const FileTree::Entry* entry = nullptr;
  for (const std::string_view part : text::split(path, '/')) {
    if (folder == nullptr) return nullptr;
    const auto found = folder->entries.find(part);
    if (found == folder->entries.end()) return nullptr;
    entry = &found->second;
    folder = entry->folder.get();
  }
  return entry;
}

std::vector<std::string> layer_names(const std::vector<oci::Descriptor>& layers) {
  const std::size_t highest = layers.empty() ? 0 : layers.size() - 1;
  const std::size_t width = std::max<std::size_t>(2, std::to_string(highest).size());
  std::vector<std::string> names;
  names.reserve(layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    names.push_back(fmt::format("{:0{}}{}", i, width, oci::file_extension(layers[i].media_type)));
  }
  return names;
}

std::vector<std::string> platform_names(const std::vector<oci::Descriptor>& manifests) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const oci::Descriptor& manifest : manifests) {
    const std::string base = manifest.platform ? safe_name(manifest.platform->file_name())
                                               : std::string(manifest.digest.hex().substr(0, 12));
    std::string name = base;
    for (std::size_t number = 2; taken.contains(name); ++number) {
      name = numbered_name(base, number, '-');
    }
    taken.insert(name);
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace berth::tree
