// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "berth/cache/cache.hpp"

namespace berth::cache {

Result<std::filesystem::path> default_folder(const Environment& environment, bool daemon) {
  if (const auto named = environment("BERTH_CACHE")) {
    std::filesystem::path path(*named);
    if (path.is_absolute()) return path;
    return Error(Errc::invalid_argument,
                 "BERTH_CACHE must be an absolute path: a relative one would be another cache in "
                 "every folder");
  }
  if (daemon && ::geteuid() == 0) return std::filesystem::path("/var/cache/berth");
  if (const auto base = xdg_cache_home(environment)) return *base / "berth";
  return Error(Errc::io,
               "there is no place for the cache: neither HOME nor XDG_CACHE_HOME is set; set "
               "BERTH_CACHE to a folder");
}

}  // namespace berth::cache
