// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "berth/base/environment.hpp"

namespace berth::cli {

enum class Verdict : unsigned char { good, warning, bad };

/// One sentence of `berth doctor`.
struct Finding {
  std::string area;  ///< fuse, cache, credentials, network
  Verdict verdict = Verdict::good;
  std::string sentence;
};

/// Where PATH leads to a program.
std::optional<std::filesystem::path> find_in_path(const Environment& environment,
                                                  const std::string& program);

/// Can this user mount? Paths are parameters for tests.
std::vector<Finding> check_fuse(const Environment& environment, const std::filesystem::path& device,
                                const std::filesystem::path& fuse_conf);
/// Does locate(1)'s nightly scan leave mounts alone?
std::vector<Finding> check_updatedb(const std::filesystem::path& updatedb_conf);

}  // namespace berth::cli
