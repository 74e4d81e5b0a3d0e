// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

namespace berth::fuse {

/// berthfs: `arguments` are those of the command line, argv[0] first. Called as mount.berth it
/// behaves as mount(8) expects of its helpers. Returns the exit status: 0, 1 when the mount failed
/// (32 for mount(8)), 2 for wrong use (1 for mount(8)). Call it before any thread is made.
int run_program(std::span<const std::string> arguments);

}  // namespace berth::fuse
