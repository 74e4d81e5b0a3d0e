// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/tool_state.hpp"

#include <sys/stat.h>

#include <filesystem>

#include <fmt/format.h>

namespace berth::credential {

std::string mark_of(const ToolState& state, const Environment& environment) {
  const auto named =
      state.folder_variable == nullptr ? std::nullopt : environment(state.folder_variable);
  const auto home = home_directory(environment);
  if (!named && !home) return {};
  const std::filesystem::path folder = named ? std::filesystem::path(*named) : *home / state.folder;
  struct stat status{};
  if (::stat((folder / state.file).c_str(), &status) != 0) return {};
  return fmt::format("{} {} {} {}.{:09}", folder.native(), status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

}  // namespace berth::credential
