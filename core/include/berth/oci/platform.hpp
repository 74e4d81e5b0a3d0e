// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "berth/base/result.hpp"

namespace berth::oci {

/// image-spec "image-index.md", platform property.
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;
  std::string os_version;

  /// "linux/arm64/v8", "windows/amd64:10.0.17763.1234"; Errc::invalid_argument else. Names that
  /// people use are understood: x86_64, aarch64, armhf.
  static Result<Platform> parse(std::string_view text);
  /// "linux/arm64/v8", with ":" and the os version when there is one.
  std::string text() const;
  /// "linux-arm64-v8", with the os version appended when there is one: a file name (other
  /// characters become '_').
  std::string file_name() const;
  friend bool operator==(const Platform&, const Platform&) = default;
};

/// The platform of this machine (Go's names: amd64, arm64 with variant v8, arm v7, ...).
Platform host_platform();

/// How well `candidate` serves `wanted`: 0 not at all, more is better. An absent variant serves its
/// default (arm64 = v8, arm = v7), an older arm variant serves a newer wish less well.
int match_quality(const Platform& wanted, const Platform& candidate);

}  // namespace berth::oci
