// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "berth/base/result.hpp"

namespace berth::cli {

/// A new folder that goes, with all that is in it, when this does. Not after kill -9.
class Scratch {
 public:
  /// In `parent`; "" for $TMPDIR, else /tmp.
  static Result<Scratch> create(const std::filesystem::path& parent = {});
  Scratch(Scratch&& other) noexcept
      : path_(std::exchange(other.path_, {})) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch();

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  explicit Scratch(std::filesystem::path path)
      : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace berth::cli
