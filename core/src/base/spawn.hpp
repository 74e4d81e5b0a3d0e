// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include "berth/base/fd.hpp"
#include "berth/base/process.hpp"

namespace berth {

/// A started program, the leader of its own process group, and our ends of its pipes
/// (non-blocking). The caller must reap it.
struct Child {
  pid_t pid = -1;
  Fd in;
  Fd out;
  Fd err;  ///< not open when stderr is inherited
};

Result<Child> spawn(const ProcessSpec& spec);

}  // namespace berth
