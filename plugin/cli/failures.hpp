// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "workspace.hpp"

namespace berth::cli {

/// What failed below a place while the rest goes on, as of ls(1) and cp(1): each is reported at
/// once, and the first decides the exit status.
class Failures {
 public:
  explicit Failures(Workspace& workspace)
      : workspace_(workspace) {}

  /// Reports what failed at `place`. The error back where it would befall all that follows too:
  /// the command was interrupted, its time is up, or nobody could be reached twice in a row (once,
  /// it may be this entry's connection alone).
  Result<void> note(Error error, const std::string& place);
  /// An entry did not fail.
  void went_well() noexcept { unreached_ = 0; }

  int status() const noexcept { return status_; }
  std::uint64_t count() const noexcept { return count_; }

 private:
  bool befalls_all(const Error& error, const std::string& place);

  Workspace& workspace_;
  int status_ = 0;
  int unreached_ = 0;  ///< failures in a row without any answer
  std::uint64_t count_ = 0;
};

/// The place of an entry of a folder that was written `folder`; "" for what holds the registries.
std::string place_below(const std::string& folder, const std::string& name);

/// Has the message name the place, unless it does: as `R/a/v1` or, of a tag, `R/a:v1`.
Error naming(Error error, const std::string& place);

}  // namespace berth::cli
