// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace berth {

/// The process's environment, as a seam: tests give a map. Never setenv(3) in berth's own threads.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// getenv(3). A variable set to the empty string counts as absent, as the XDG specification asks.
std::optional<std::string> real_environment(const std::string& name);

/// $HOME, else Errc::not_found's reason as nullopt: no getpwuid, so that it works in static
/// binaries.
std::optional<std::filesystem::path> home_directory(const Environment& environment);

/// $XDG_CACHE_HOME, else ~/.cache; $XDG_CONFIG_HOME, else ~/.config. Relative values are ignored,
/// as the XDG Base Directory Specification says.
std::optional<std::filesystem::path> xdg_cache_home(const Environment& environment);
std::optional<std::filesystem::path> xdg_config_home(const Environment& environment);

}  // namespace berth
