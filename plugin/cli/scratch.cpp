// SPDX-License-Identifier: Apache-2.0
#include "scratch.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>

#include "berth/base/text.hpp"

namespace berth::cli {

Result<Scratch> Scratch::create(const std::filesystem::path& parent) {
  std::error_code failed;
  const std::filesystem::path folder =
      parent.empty() ? std::filesystem::temp_directory_path(failed) : parent;
  std::string pattern = (folder / ".berth-XXXXXX").string();
  if (failed || ::mkdtemp(pattern.data()) == nullptr) {
    return Error::from_errno(
        failed ? failed.value() : errno,
        "making a temporary folder in " + text::escape_for_terminal(folder.string()));
  }
  return Scratch(pattern);
}

Scratch::~Scratch() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace berth::cli
