// SPDX-License-Identifier: Apache-2.0
#include "berth/base/environment.hpp"

#include <cstdlib>

namespace berth {
namespace {

std::optional<std::filesystem::path> absolute_path(const Environment& environment,
                                                   const std::string& name) {
  std::optional<std::string> value = environment(name);
  if (!value || value->empty()) return std::nullopt;
  std::filesystem::path path(*std::move(value));
  if (!path.is_absolute()) return std::nullopt;
  return path;
}

std::optional<std::filesystem::path> xdg_folder(const Environment& environment,
                                                const std::string& name, const char* below_home) {
  if (auto path = absolute_path(environment, name)) return path;
  auto home = home_directory(environment);
  if (!home) return std::nullopt;
  return *home / below_home;
}

}  // namespace

std::optional<std::string> real_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::optional<std::filesystem::path> home_directory(const Environment& environment) {
  return absolute_path(environment, "HOME");
}

std::optional<std::filesystem::path> xdg_cache_home(const Environment& environment) {
  return xdg_folder(environment, "XDG_CACHE_HOME", ".cache");
}

std::optional<std::filesystem::path> xdg_config_home(const Environment& environment) {
  return xdg_folder(environment, "XDG_CONFIG_HOME", ".config");
}

}  // namespace berth
